"""rnnlab: a laboratory for recurrent language models written from scratch."""

__version__ = "0.1.0"

import os

# OpenMP's idle threads would spin for milliseconds, on cores that other runs could use; read when
# torch is first imported
os.environ.setdefault("GOMP_SPINCOUNT", "4000")
