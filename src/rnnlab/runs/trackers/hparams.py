"""TensorBoard's hparams tab: a run's settings, in the run's own event file.

SummaryWriter.add_hparams would write an extra run beside it, and call every run a success.
"""

import time
from typing import Any

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2

from rnnlab.config.identity import flat
from rnnlab.config.schema import Config

Settings = dict[str, str | int | float]
ALONE = """sampler lr theta seed model num_hiddens num_layers optimizer clip dataset batch_size
    num_steps num_epochs precision""".split()


def settings(config: Config, swept: list[str]) -> Settings:
    """A row of the table: what the run's study varies, or of a run alone what matters most."""
    values = flat(config.as_dict())
    return {name: _plain(values.get(name)) for name in swept or ALONE}


def _plain(value: Any) -> str | int | float:
    return value if isinstance(value, str | int | float) else str(value)


def begin(values: Settings, run: str) -> Summary:
    """What to write when the run so named starts.

    TensorBoard makes the table's columns from all runs that it reads: the union of what they give.
    A list of columns in a run's own file would count for all others.
    """
    return summary_v2.hparams_pb(values, trial_id=run)


def end(completed: bool) -> Summary:
    """What to write when a run has ended."""
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
