"""What every room uses, and what needs none of them: files, stop requests, shapes, console."""
