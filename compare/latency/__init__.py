"""Measure how long a forward pass takes, and detect disturbance by other load on the machine."""
