"""The network: cells, parameters over lanes, engines, generation. Knows no config and no paths."""
