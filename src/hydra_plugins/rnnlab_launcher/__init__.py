"""hydra/launcher=stacked: the jobs of a multirun train as stacks of lanes."""
