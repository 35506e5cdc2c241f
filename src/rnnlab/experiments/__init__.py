"""Recorded experiments: a question, its study, and claims that are checked (rnnlab reproduce)."""
