"""TensorBoard's hparams tab: a run's settings, in the run's own event file.

SummaryWriter.add_hparams would write an extra run beside it, and call every run a success.
"""

import time

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2

from rnnlab.config import Config

Settings = dict[str, str | int | float]
METRICS = ("perplexity/train", "perplexity/val")
COLUMNS = """sampler lr theta seed model num_hiddens num_layers optimizer clip dataset batch_size
    num_steps num_epochs precision""".split()


def settings(config: Config) -> Settings:
    """Choices by their names, scalars as they are."""
    values = config.as_dict()
    chosen = {name: values[name] for name in COLUMNS}
    return {name: v["name"] if isinstance(v, dict) else v for name, v in chosen.items()}


def begin(values: Settings, run: str) -> list[Summary]:
    """What to write when a run starts: the table's columns, and the row of the run so named."""
    columns = [summary_v2.HParam(name) for name in values]
    metrics = [summary_v2.Metric(tag) for tag in METRICS]
    return [
        summary_v2.hparams_config_pb(columns, metrics),
        summary_v2.hparams_pb(values, trial_id=run),
    ]


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
