"""What a job needs, without torch: its model's sizes, its engine, its memory."""

from __future__ import annotations

from rnnlab._common.kernel import is_compiled
from rnnlab.config.schema import AUTO, Config
from rnnlab.nn.engines import Engine, compiled, fitting, resolve
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
    return resolve(config.engine, config.model, device_type, _products(config))


def notes_on_engine(config: Config, device_type: str) -> list[str]:
    """Why auto does not take the fastest, and what takes its time at first; empty as a rule."""
    taken = engine_of(config, device_type)
    fastest = max(
        fitting(device_type, _products(config)),
        key=lambda engine: engine.rank(config.model, device_type),
    )
    notes = []
    if config.engine == AUTO and (refusal := fastest.refuses(config.model)):
        notes.append(f"engine=auto takes {taken.name}, not {fastest.name}: {refusal}")
    if taken.is_compiled and not is_compiled(compiled):
        notes.append(f"engine={taken.name} compiles for this processor, once: some 15 seconds")
    return notes


def _products(config: Config) -> str:
    return PRECISIONS[config.precision].products_type


def parameter_bytes(config: Config, vocab_size: int) -> int:
    """Of one lane's parameters."""
    return spec_of(config, vocab_size).num_parameters * PRECISIONS[config.precision].bytes


def lane_bytes(config: Config, vocab_size: int, device_type: str) -> int:
    """All that a lane of several needs while it trains; alone it needs less."""
    spec, precision = spec_of(config, vocab_size), PRECISIONS[config.precision]
    kept = engine_of(config, device_type).numbers(spec, config.batch_size, config.num_steps)
    copies = PER_PARAMETER + config.optimizer.slots + precision.copies
    return precision.bytes * (copies * spec.num_parameters + kept)


def stack_bytes(config: Config, vocab_size: int, device_type: str, lanes: int) -> int:
    """All that a stack needs while it trains."""
    spec, engine = spec_of(config, vocab_size), engine_of(config, device_type)
    shared = engine.shared_numbers(spec, config.batch_size, config.num_steps)
    of_lanes = lanes * lane_bytes(config, vocab_size, device_type)
    return of_lanes + PRECISIONS[config.precision].bytes * shared
