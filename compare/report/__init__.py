"""The report of a comparison: its schema, its sections, and a renderer for each format."""
