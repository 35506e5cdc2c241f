"""The instruments, one a file."""
