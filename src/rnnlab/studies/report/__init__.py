"""What a folder of runs comes to: tables, figures, one page."""

REPORTS = ("report.html", "report.md", "results.csv", "results.parquet")  # a study's, in its folder
