"""What executes a model: one file a runtime, and the registry that lists them."""
