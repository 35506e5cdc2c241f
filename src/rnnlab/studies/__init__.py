"""Many jobs: what was typed, a plan, stacks on executors, a report."""
