"""Which of some settings is better, of runs that share their seeds; not whether two runs agree.

pairs.py     which runs pair; a gap is refused
gaps.py      what to type for it
paired.py    what their differences say
compare.py   from runs to a table
table.py     the table as text, Markdown, CSV and JSON
"""
