"""What a folder of runs comes to: tables, figures, one page."""

REPORTS = ("report.html", "report.md", "results.csv")  # a study's, in its folder
