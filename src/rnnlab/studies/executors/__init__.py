"""Where stacks train."""
