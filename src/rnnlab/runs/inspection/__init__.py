"""What a run's instruments have seen, as pictures."""
