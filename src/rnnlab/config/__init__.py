"""What an experiment is: its knobs, their meanings and ranges, and what identifies it."""
