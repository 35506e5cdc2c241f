"""What the server of workers has ready, once for all of them."""

from contextlib import suppress

from rnnlab._common.importing import importing

with importing():
    import torch

    import rnnlab.runs.resume  # noqa: F401
    from rnnlab._common.kernel import is_compiled
    from rnnlab.nn.engines import compiled

    with suppress(ImportError):  # of numba
        from rnnlab.nn.engines.compiled.network import load_kernels

        if is_compiled(compiled):  # else those who need them compile them
            load_kernels(torch.float32)
