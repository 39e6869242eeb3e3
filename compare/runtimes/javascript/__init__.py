"""Runtimes that run JavaScript, in a page of a browser or under Node."""
