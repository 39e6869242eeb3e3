"""Measure how long a forward pass takes, protected against other load on the machine."""
