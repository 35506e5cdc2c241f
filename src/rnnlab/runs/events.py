"""TensorBoard's event files, written and read; and every name of TensorBoard without a promise.

TensorBoard documents SummaryWriter alone. It would begin another file when a run is continued,
write from a thread, whose length at a checkpoint nobody knows, and make an extra run of hparams;
so records and protos are used here, which its own writer is made of. Tests read the files back
with TensorBoard's reader and its server. Here and nowhere else.
"""

from __future__ import annotations

import contextlib
import io
import platform
import time
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard.summary import custom_scalars, histogram_raw, scalar

from rnnlab._common.files import flush, opened, write_whole
from rnnlab.runs.folder import EVENTS, ROW, move_on

Settings = dict[str, str | int | float]


class EventFile:
    """The run's own file; a run that is continued goes on with it, under a later name.

    A reader that is open takes it for a new one. It begins with a START, at which the readers in
    Python forget all that they have read; those of the data server forget tag by tag.
    """

    def __init__(self, folder: Path) -> None:
        begun = max((path.name for path in folder.glob(EVENTS + "*")), default=None)
        self.is_new = begun is None
        new = f"{EVENTS}{time.time():.0f}.{platform.node()}"
        self.name = move_on(folder, begun) if begun else new
        self.file = opened(folder, self.name, "ab")
        self.records = RecordWriter(self.file)
        if self.is_new:
            self._write(Event(file_version="brain.Event:2"))
            self._write(Event(step=1, session_log=SessionLog(status=SessionLog.START)))

    def add(self, summary: Summary, step: int = 0) -> None:
        self._write(Event(summary=summary, step=step))

    def hand_over(self) -> None:
        """Whoever reads the file sees all of it."""
        self.file.flush()

    def flush(self) -> int:
        """All of it is on the disk now; says how many bytes the file has."""
        return flush(self.file)

    def close(self) -> None:
        self.flush()
        self.file.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self.records.write(event.SerializeToString())


def of_numbers(values: dict[str, float]) -> Summary:
    """In one record, whatever their number."""
    return Summary(value=[scalar(tag, value).value[0] for tag, value in values.items()])


def of_text(tag: str, text: str) -> Summary:
    """Shown letter for letter: as code of Markdown."""
    return text_pb(tag, "\n".join(f"    {line}" for line in text.splitlines()))


def of_image(tag: str, png: bytes, width: int, height: int) -> Summary:
    image = Summary.Image(encoded_image_string=png, width=width, height=height, colorspace=4)
    return Summary(value=[{"tag": tag, "image": image}])


def of_histogram(tag: str, low: float, high: float, shares: list[float]) -> Summary:
    """Of bins of one width between these."""
    width = (high - low) / len(shares)
    middles = [low + width * (i + 0.5) for i in range(len(shares))]
    return histogram_raw(
        tag,
        min=low,
        max=high,
        num=sum(shares),
        sum=sum(m * share for m, share in zip(middles, shares, strict=True)),
        sum_squares=sum(m * m * share for m, share in zip(middles, shares, strict=True)),
        bucket_limits=[middle + width / 2 for middle in middles],
        bucket_counts=shares,
    )


def of_charts(layout: dict[str, dict[str, list[str]]]) -> Summary:
    """The tab of custom scalars: categories of charts, and the tags that each shows."""
    return custom_scalars(
        {
            category: {title: ["Multiline", tags] for title, tags in charts.items()}
            for category, charts in layout.items()
        }
    )


def write_row(folder: Path, values: Settings, group: str, completed: bool | None) -> None:
    """The run's row of the hparams tab, and how it ended, None while it has not; whole or not.

    TensorBoard takes what a run says of itself first, and never again: in a log that only grows a
    row could not change. It makes the table's columns from all runs that it reads: the union of
    what they give, those that differ first, and its metrics by their tags' alphabet. A list of
    columns in a run's own file would count for all others. Runs of one `group` are one row.
    """
    summaries = [summary_v2.hparams_pb(values, trial_id=group)]
    summaries += [] if completed is None else [_ending(completed)]
    file = io.BytesIO()
    for event in (Event(file_version="brain.Event:2"), *(Event(summary=s) for s in summaries)):
        event.wall_time = time.time()
        RecordWriter(file).write(event.SerializeToString())
    write_whole(folder, ROW, file.getvalue())


def _ending(completed: bool) -> Summary:
    status = api_pb2.Status.STATUS_SUCCESS if completed else api_pb2.Status.STATUS_FAILURE
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
    data = plugin_data_pb2.HParamsPluginData(session_end_info=info)
    summary = Summary()
    summary.value.add(
        tag=metadata.SESSION_END_INFO_TAG,
        metadata=metadata.create_summary_metadata(data),
        tensor=metadata.NULL_TENSOR,
    )
    return summary


def read_numbers(folder: Path) -> Iterator[tuple[int, str, list[float]]]:
    """(step, tag, value) of every scalar in every event file of a run, as far as it is whole."""
    for path in sorted(folder.glob(EVENTS + "*")):
        opened(folder, path.name).close()  # TensorBoard would open a pipe as well
        with contextlib.suppress(DecodeError, ValueError, OverflowError, MemoryError):
            for event in EventFileLoader(str(path)).Load():
                for value in event.summary.value:
                    if value.HasField("tensor") and value.tensor.float_val:
                        yield event.step, value.tag, list(value.tensor.float_val)
