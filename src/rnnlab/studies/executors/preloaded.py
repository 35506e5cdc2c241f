"""What the server of workers imports, once for all of them."""

from contextlib import suppress

from rnnlab._common.importing import importing

with importing():
    import matplotlib.figure  # noqa: F401

    with suppress(ImportError):  # of numba
        pass
