"""TensorBoard that is open while a run is killed and goes on sees each step once, and all of them.

With its own readers: those in Python, and the data server that it starts where there is one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator
from tensorboard.context import RequestContext
from tensorboard.data import server_ingester
from tensorboard.util.grpc_util import ChannelCredsType
from tensorboard.util.tensor_util import make_ndarray

from rnnlab.runs import resume as resuming
from rnnlab.runs import stack as experiment
from rnnlab.runs.differences import differences
from rnnlab.runs.folder import EVENTS, LAST

SMALL = ["num_hiddens=8", "batch_size=4", "num_steps=10", "num_epochs=6", "log.sample_length=5"]
SMALL += ["dataset.max_tokens=600", "dataset.val_fraction=0.1", "log.val_every=2"]
SMALL += ["checkpoint.seconds=0", "log.sample_every=2", "log.every_minibatches=3"]
Curves = dict[str, list[tuple[int, float]]]  # by tags
Look = Callable[[], Curves]


@contextmanager
def in_python(folder: Path, module: Any = plugin_event_accumulator) -> Iterator[Look]:
    """What TensorBoard reads with when it has no data server."""
    reader = module.EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0})

    def look() -> Curves:
        reader.Reload()
        if "scalars" in reader.Tags():
            tags = reader.Tags()["scalars"]
            return {tag: [(p.step, p.value) for p in reader.Scalars(tag)] for tag in tags}
        points = {tag: reader.Tensors(tag) for tag in reader.PluginTagToContent("scalars")}
        return {
            tag: [(p.step, float(make_ndarray(p.tensor_proto))) for p in own]
            for tag, own in points.items()
        }

    yield look


@contextmanager
def in_python_by_hand(folder: Path) -> Iterator[Look]:
    """What people read event files with in a notebook."""
    with in_python(folder, event_accumulator) as look:
        yield look


@contextmanager
def by_data_server(folder: Path) -> Iterator[Look]:
    """What TensorBoard starts where its package is there; it looks every second."""
    try:
        binary = server_ingester.get_server_binary()
    except server_ingester.NoDataServerError:
        pytest.skip("tensorboard-data-server is not for this system")
    ingester = server_ingester.SubprocessServerDataIngester(
        binary,
        str(folder),
        reload_interval=1,
        channel_creds_type=ChannelCredsType.LOCAL,
        samples_per_plugin={"scalars": 0},
    )
    ingester.start()

    def look() -> Curves:
        time.sleep(2.5)
        found = ingester.data_provider.read_scalars(
            RequestContext(), experiment_id="", plugin_name="scalars", downsample=10_000
        )
        curves = found.get(".", {})
        return {tag: [(p.step, p.value) for p in own] for tag, own in curves.items()}

    try:
        yield look
    finally:
        ingester._stdin_handle.close()  # it ends


READERS = [in_python, in_python_by_hand, by_data_server]


def train(config, name: str) -> Path:
    folder = Path(name)
    folder.mkdir()
    experiment.run(config, folder)
    return folder


def untimed(curves: Curves) -> Curves:
    return {tag: points for tag, points in curves.items() if not tag.startswith("speed/")}


@pytest.mark.parametrize("reader", READERS)
def test_an_open_reader_follows_a_run_that_is_killed_and_goes_on(compose, stop_after, reader):
    """Were the file cut back in its place, a reader would wait for ever where it was, or read
    from the middle of a record; in a new file alone, it would have the lost steps twice."""
    config = compose(*SMALL)
    whole = train(config, "whole")
    with reader(whole) as look:
        wanted = look()
    assert [step for step, _ in wanted["perplexity/train"]] == [1, 2, 3, 4, 5, 6]
    stop_after(17)  # of 13 minibatches or so an epoch
    folder = train(config, "run")
    with reader(folder) as look:
        assert len(look()["perplexity/train"]) == 1
        checkpoint = (folder / LAST).read_bytes()
        for minibatches in (30, 40):  # and what they did is lost
            stop_after(minibatches)
            resuming.resume(folder, {})
            with (folder / max(names(folder))).open("ab") as file:
                file.write(b"\x18\0\0")  # a record that was never whole
            seen = untimed(look())
            assert seen.items() <= {tag: wanted[tag][: len(seen[tag])] for tag in seen}.items()
            assert len(seen["perplexity/train"]) > 2
            (folder / LAST).write_bytes(checkpoint)
        stop_after(float("inf"))
        resuming.resume(folder, {})
        curves = look()
    assert untimed(curves) == untimed(wanted)
    with reader(folder) as look:
        assert look() == curves
    assert list(differences(whole, folder)) == []


def test_a_run_that_goes_on_leaves_an_empty_file_where_a_reader_may_still_be(compose, stop_after):
    """One that is gone holds up the readers in Python for good."""
    stop_after(17)
    folder = train(compose(*SMALL), "run")
    (first,) = names(folder)
    for number in (1, 2):
        stop_after(5)
        resuming.resume(folder, {})
        assert max(names(folder)) == f"{first}.resumed-000{number}"
        assert [name for name in names(folder) if (folder / name).stat().st_size] == [
            max(names(folder))
        ]
    assert len(names(folder)) == 3


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob(f"{EVENTS}*"))
