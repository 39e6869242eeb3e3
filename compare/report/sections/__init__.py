"""The sections of a report: one file for each topic, with its tables and its sentences."""
