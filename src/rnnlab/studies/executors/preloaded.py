"""What the server of workers has ready, once for all of them."""

from contextlib import suppress

from rnnlab._common.importing import importing

with importing():
    import matplotlib.figure  # noqa: F401

    import rnnlab.runs.resume  # noqa: F401

    with suppress(ImportError):  # of numba
        from rnnlab.nn.engines.compiled.ready import load_kernels

        load_kernels()
