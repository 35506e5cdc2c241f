"""Shapes and types of the numeric modules are enforced while the tests run.

tests/test_gpu.py also runs where nothing but torch, numpy and pytest is installed: what other
tests need is imported only where it is there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # idle threads spin on a core that another test could use
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
if "NUMBA_CACHE_DIR" not in os.environ:  # a test's own cache is empty: each would compile anew
    os.environ["NUMBA_CACHE_DIR"] = str(Path(__file__).parents[1] / ".pytest_cache" / "kernels")
if "MPLCONFIGDIR" not in os.environ:  # the same of matplotlib's list of fonts
    os.environ["MPLCONFIGDIR"] = str(Path(__file__).parents[1] / ".pytest_cache" / "matplotlib")
    Path(os.environ["MPLCONFIGDIR"]).mkdir(parents=True, exist_ok=True)
import torch

if find_spec("jaxtyping") and find_spec("beartype"):
    from jaxtyping import install_import_hook

    NUMERIC = ["nn.spec", "nn.cells", "nn.model", "nn.generation", "nn.states"]
    NUMERIC += [f"nn.engines.{name}" for name in ("autograd", "eager", "torch_nn", "stacked")]
    NUMERIC += ["training.samplers", "training.clips", "training.rules", "training.optim"]
    NUMERIC += ["training.metrics", "training.loop", "training.evaluation"]
    install_import_hook([f"rnnlab.{module}" for module in NUMERIC], "beartype.beartype")

if TYPE_CHECKING:
    from rnnlab.config.schema import Config

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs in a folder of its own, without the user's data and caches."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("RNNLAB_DATA", raising=False)


@pytest.fixture(autouse=True)
def _own_cells() -> Iterator[None]:
    """A cell of one's own that a test has run is no name of a model in another one."""
    from rnnlab._common.choices import _registered
    from rnnlab.nn.own_cell import OwnCell

    yield
    cells = _registered.get("model", {})  # of what was imported
    for name in [name for name, cell in cells.items() if issubclass(cell, OwnCell)]:
        del cells[name]


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    """A headless Chromium, for the tests of a file."""
    from browser import chromium

    with chromium() as browser:
        yield browser


@pytest.fixture(autouse=True)
def _small_curves(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run's curve takes longer to draw than these runs to train; test_pictures.py looks at it."""
    if find_spec("matplotlib") and request.path.stem != "test_pictures":
        from matplotlib.figure import Figure

        monkeypatch.setattr(
            "rnnlab.runs.figures.perplexity_figure", lambda *_: Figure(figsize=(1, 1))
        )


@pytest.fixture
def compose() -> Callable[..., Config]:
    """compose("lr=2", "size=tiny") -> Config, as the command line makes it."""
    from rnnlab.config.compose import compose

    return lambda *overrides: compose([*overrides])


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """stop_after(n): runs are asked to stop before their (n + 1)-th minibatch from now on."""
    from rnnlab.runs import stack

    def set_number(number: float) -> None:
        asked = count()

        @contextmanager
        def requests() -> Iterator[Callable[[], bool]]:
            yield lambda: next(asked) >= number

        monkeypatch.setattr(stack, "stop_requests", requests)

    return set_number


@pytest.fixture(scope="session")
def time_machine_folder() -> Path:
    """The folder of the real corpus: $RNNLAB_TEST_DATA, or shared/data beside the checkout."""
    folder = Path(os.environ.get("RNNLAB_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "timemachine.txt").is_file():
        pytest.skip(f"no timemachine.txt in {folder}: the real corpus is not committed")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
