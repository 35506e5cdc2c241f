"""A TensorBoard server on a folder of runs, and a run's row as its loader reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode
from urllib.request import urlopen

from tensorboard import program
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

STATUSES = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
OPTIONS = "--port=0 --host=127.0.0.1 --load_fast=false --reload_interval=0 --reload_task=blocking"


class Board:
    """It has read all of the folder before it answers."""

    def __init__(self, folder: str) -> None:
        board = program.TensorBoard()
        board.configure(argv=["", f"--logdir={folder}", *OPTIONS.split()])
        self.address = board.launch()

    def ask(self, what: str, **request: Any) -> Any:
        query = urlencode({"request": json.dumps(request)})
        with urlopen(f"{self.address}data/{what}?{query}") as answer:
            return json.loads(answer.read())

    def columns(self) -> list[dict[str, Any]]:
        return self.ask("plugin/hparams/experiment")["hparamInfos"]

    def metrics(self) -> list[str]:
        infos = self.ask("plugin/hparams/experiment")["metricInfos"]
        return [info["name"]["tag"] for info in infos]

    def groups(self, columns: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows of the table, where no box of these columns' values is unticked."""
        ticked = [
            {"hparam": column["name"], "filterDiscrete": column["domainDiscrete"]}
            for column in columns
            if "domainDiscrete" in column
        ]
        asked = {"startIndex": 0, "sliceSize": 1000, "allowedStatuses": STATUSES}
        return self.ask("plugin/hparams/session_groups", colParams=ticked, **asked)["sessionGroups"]


class Row(NamedTuple):
    values: dict[str, object]
    group: str
    status: int | None  # None: it has not ended


def row(folder: Path) -> Row:
    """A run's settings, group and how it ended, as TensorBoard has them of all its files."""
    loaded = EventAccumulator(str(folder))
    loaded.Reload()
    contents = loaded.PluginTagToContent("hparams")
    start, end = plugin_data_pb2.HParamsPluginData(), plugin_data_pb2.HParamsPluginData()
    start.ParseFromString(contents["_hparams_/session_start_info"])
    info = start.session_start_info
    values = {name: getattr(v, v.WhichOneof("kind")) for name, v in info.hparams.items()}
    if "_hparams_/session_end_info" not in contents:
        return Row(values, info.group_name, None)
    end.ParseFromString(contents["_hparams_/session_end_info"])
    return Row(values, info.group_name, end.session_end_info.status)
