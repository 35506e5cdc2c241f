"""How long report.html of a thousand runs takes to be written, painted, sorted and filtered.

make bench-page writes benchmarks/results/page.json. The runs are made up: 1,000 folders of 200
logged epochs, training and held out, in a headless Chromium on this machine.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from engines import cpu_name

from browser import chromium, resize
from rnnlab.config.compose import compose
from rnnlab.runs.result import Result, Status
from rnnlab.studies.report.write import write_report

RUNS, EPOCHS, ROUNDS = 1000, 200, 5
PAINTED = "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
CHANGED = """
const [changes, done] = arguments, began = performance.now();
change(changes);
requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
"""
WHAT = {  # milliseconds until it is painted
    "sort": [{"sort": name} for name in ("lr", "-lr", "training", "run", "num_hiddens")],
    "filter": [{"find": words} for words in ("lr=1", "lr>1", "theta=5", "", "seed=3")],
    "unfold": [{"fold": fold} for fold in ("yes", "no", "yes", "no", "yes")],
}


def forge(home: Path) -> None:
    base, rng = compose([f"num_epochs={EPOCHS}", "dataset.val_fraction=0.1"]), random.Random(0)
    for k in range(RUNS):
        lr, theta, seed = (
            (0.1, 0.3, 1.0, 3.0, 10.0)[k % 5],
            (0.5, 1.0, 2.0, 5.0)[k // 5 % 4],
            k // 100,
        )
        own = replace(base, lr=lr, theta=theta, num_hiddens=64 << k // 20 % 5, seed=seed)
        folder, end = home / f"{k}_lr={lr},theta={theta},num_hiddens={own.num_hiddens}", 28.0
        folder.mkdir()
        with (folder / "metrics.jsonl").open("w") as log:
            for epoch in range(1, EPOCHS + 1):
                end = max(1.02, end * (1 - 0.02 * rng.random() * lr / (1 + lr)))
                figures = {
                    "perplexity": end,
                    "val_perplexity": 1.2 * end * (1 + 0.1 * rng.random()),
                }
                figures |= {"gradient_norm": 3 * rng.random(), "clipped_fraction": rng.random()}
                print(json.dumps({"epoch": epoch, **figures}), file=log)
        result = replace(
            Result.without_run(""), status=Status.completed, error=None, perplexity=end,
            val_perplexity=1.2 * end, best_perplexity=1.2 * end, epochs=EPOCHS, seed=seed,
            config=own.as_dict(), dataset={"name": "sample", "sha256": "0", "vocab_size": 28},
            samples={"time traveller": "time traveller " + "said that it was so " * 3},
        )  # fmt: skip
        result.write(folder)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        forge(Path(folder))
        began = time.perf_counter()
        page = write_report(Path(folder))
        found: dict[str, Any] = {"seconds_to_write": time.perf_counter() - began}
        found["megabytes"] = page.stat().st_size / 1e6
        resize(browser, 1400, 900)
        paints = []
        for _ in range(ROUNDS):
            browser.get("about:blank")
            browser.get(f"{page.as_uri()}#fold=no")
            time.sleep(1)
            paints.append(browser.execute_script(PAINTED))
        found["first_paint_ms"] = paints
        for what, changes in WHAT.items():
            found[f"{what}_ms"] = [browser.execute_async_script(CHANGED, own) for own in changes]
    for name, value in found.items():
        own = value if isinstance(value, list) else [value]
        print(f"{name:18} {statistics.median(own):8.3g}   {min(own):.3g} - {max(own):.3g}")
    about = {"date": date.today().isoformat(), "device": cpu_name()}
    path = Path(__file__).parent / "results" / "page.json"
    path.write_text(json.dumps(about | found, indent=2) + "\n")


if __name__ == "__main__":
    main()
