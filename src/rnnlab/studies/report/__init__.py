"""What a folder of runs comes to: tables, figures, one page."""
