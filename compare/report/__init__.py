"""What a comparison found: one schema, and one renderer for each format. Renderers only read it."""
