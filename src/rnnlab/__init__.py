"""rnnlab: a laboratory for recurrent language models written from scratch."""

__version__ = "0.1.0"
