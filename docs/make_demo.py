"""Train the model that comes with the package, on the story that comes with it.

    make demo

Trains conf/experiment/demo.yaml, and keeps of its checkpoint what generates: the parameters, the
vocabulary and the config, in src/rnnlab/demo. A minute on an idle core. The same processor
and versions give the same bytes, others the same perplexity to a few hundredths.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

from rnnlab.config.compose import compose
from rnnlab.runs import stack
from rnnlab.runs.checkpoint import load_checkpoint, save_checkpoint
from rnnlab.runs.demo import NAME
from rnnlab.runs.folder import CHECKPOINTS, LAST

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "rnnlab"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        result = stack.run(compose(["experiment=demo"]), Path(folder) / NAME)
        checkpoint = load_checkpoint(Path(folder) / NAME, LAST)
    home = PACKAGE / NAME
    (home / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
    save_checkpoint(home, LAST, replace(checkpoint, training={}, progress=None))
    print(f"{home / LAST}: {(home / LAST).stat().st_size:,} bytes, perplexity {result.perplexity}")


if __name__ == "__main__":
    main()
