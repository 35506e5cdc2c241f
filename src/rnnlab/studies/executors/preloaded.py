"""What the server of workers imports, once for all of them."""

from rnnlab._common.importing import importing

with importing():
    import rnnlab.runs.resume  # noqa: F401
