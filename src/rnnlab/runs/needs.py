"""What a job needs, without torch: its model's sizes, its engine, its memory."""

from __future__ import annotations

from rnnlab.config.schema import AUTO, Config
from rnnlab.nn.engines import ENGINES, Engine, resolve
from rnnlab.nn.spec import Spec
from rnnlab.training.precision import PRECISIONS

PER_PARAMETER = 3  # a parameter, its gradient and its best; an optimizer's slots come on top


def spec_of(config: Config, vocab_size: int) -> Spec:
    return Spec(
        cell=config.model,
        vocab_size=vocab_size,
        num_hiddens=config.num_hiddens,
        num_layers=config.num_layers,
    )


def engine_of(config: Config, device_type: str) -> Engine:
    """The engine that the job trains with on such a device: auto, decided."""
    return resolve(config.engine, config.model, device_type)


def note_on_engine(config: Config, device_type: str) -> str | None:
    """What auto takes instead of the engine that it takes for other cells; None as a rule."""
    usual = next(iter(ENGINES.values()))
    if config.engine != AUTO or usual.refuses(config.model) is None:
        return None
    taken = engine_of(config, device_type)
    return f"engine=auto takes {taken.name}: {usual.name} does not know {config.model.form}"


def parameter_bytes(config: Config, vocab_size: int) -> int:
    """Of one lane's parameters."""
    return spec_of(config, vocab_size).num_parameters * PRECISIONS[config.precision].bytes


def lane_bytes(config: Config, vocab_size: int, device_type: str) -> int:
    """All that a lane of several needs while it trains; alone it needs less."""
    spec, precision = spec_of(config, vocab_size), PRECISIONS[config.precision]
    kept = engine_of(config, device_type).numbers(spec, config.batch_size, config.num_steps)
    copies = PER_PARAMETER + config.optimizer.slots + precision.copies
    return precision.bytes * (copies * spec.num_parameters + kept)
