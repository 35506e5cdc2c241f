"""The loop over a stack of lanes. Knows no config, no Hydra and no paths."""
