"""A planter of faults in exported graphs, and a bench that measures how large each is and what the tool says of it."""
