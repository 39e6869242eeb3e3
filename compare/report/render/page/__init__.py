"""The page: `report.html`, one file with everything that it needs, which opens from disk without a network."""
