"""What can be wrong with a job beyond its config's own values: text, prompts, device, optimizer.

Runs before an output folder exists. torch is imported only for the choices that need to ask it.
"""

from rnnlab import corpus
from rnnlab.config import Config, ConfigError, TorchOptim, require


def check(config: Config) -> corpus.Corpus:
    """The job's corpus, once everything about the job has been found possible.

    Raises ConfigError with the one sentence that the user needs.
    """
    text = corpus.load(config.dataset)
    text.require_minibatch(config)
    text.prefixes(config.dataset.prefixes)
    if config.device.startswith("cuda"):
        from rnnlab.surroundings import resolve_device

        resolve_device(config.device)
    if isinstance(config.optimizer, TorchOptim):
        _check_torch_optimizer(config.optimizer)
    return text


def _check_torch_optimizer(choice: TorchOptim) -> None:
    """Take one step of it on a parameter of its own."""
    import torch

    known = [
        name
        for name, value in vars(torch.optim).items()
        if isinstance(value, type) and issubclass(value, torch.optim.Optimizer)
    ]
    require(
        choice.algorithm in known,
        f"optimizer.algorithm={choice.algorithm}",
        f"it is one of torch.optim's classes: {', '.join(sorted(known))}",
    )
    parameter = torch.zeros(1, 2, 2, requires_grad=True)
    parameter.grad = torch.ones_like(parameter)
    try:
        getattr(torch.optim, choice.algorithm)([parameter], lr=1.0, **choice.options).step()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"optimizer.algorithm={choice.algorithm} with options {choice.options} "
            f"cannot train here: {error}."
        ) from error
