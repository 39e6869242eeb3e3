"""The figures of a report, one file for each; figures.py lists them, style.py has their style."""
