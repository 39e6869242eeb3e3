"""Runtimes: the ways to run a model, and the registry that lists them."""
