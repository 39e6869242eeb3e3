"""The report of a comparison: one schema, its sections, and one renderer for each format. Renderers only read it."""
