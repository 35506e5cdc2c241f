"""Results in Python: folders of runs as studies, frames and trained models (rnnlab.load)."""
