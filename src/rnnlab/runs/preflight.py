"""What can be wrong with a job beyond its config's own values: text, prompts, device, optimizer.

Runs before an output folder exists. torch is imported only for the choices that need to ask it.
"""

from rnnlab._common.errors import ConfigError, require
from rnnlab.config.schema import Config, Dataset, Precision, SamplerName, TorchOptim
from rnnlab.data.corpus import Corpus, load

Corpora = dict[Dataset, Corpus]  # the texts read so far: jobs of a study share them


def check(config: Config, corpora: Corpora) -> Corpus:
    """The job's corpus, once everything about the job has been found possible.

    Raises ConfigError with the one sentence that the user needs.
    """
    if config.dataset not in corpora:
        corpora[config.dataset] = load(config.dataset)
    corpus = corpora[config.dataset]
    _check_length(config, corpus)
    corpus.prefixes(config.dataset.prefixes)
    if config.device.startswith("cuda") or config.precision == Precision.tf32:
        from rnnlab.runs.surroundings import resolve_device

        on_gpu = resolve_device(config.device).type == "cuda"
        require(
            on_gpu or config.precision != Precision.tf32,
            "precision=tf32 on a CPU",
            "only a GPU has it; type precision=fp32",
        )
    if isinstance(config.optimizer, TorchOptim):
        _check_torch_optimizer(config.optimizer)
    return corpus


def _check_length(config: Config, corpus: Corpus) -> None:
    """Every epoch has a minibatch, whatever its offset; held-out text has a target."""
    B, T, N = config.batch_size, config.num_steps, len(corpus.train)
    offset = T if config.sampler.name == SamplerName.sequential else T - 1
    needed = B * T + offset + 1
    require(
        needed <= N,
        f"batch_size={B} with num_steps={T}",
        f"one minibatch needs {needed} tokens ({B} x {T}, an offset of up to {offset}, and the "
        f"last target), and the corpus has {N}; take a smaller batch_size or num_steps, "
        "or a longer text",
    )
    require(
        not config.dataset.val_fraction or len(corpus.held_out) >= 2,
        f"dataset.val_fraction={config.dataset.val_fraction}",
        f"the held-out text needs 2 tokens, and this leaves {len(corpus.held_out)}",
    )


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
