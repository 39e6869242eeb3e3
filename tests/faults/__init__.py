"""A planter of faults in exported graphs, and a bench that measures a fault's size and judges the faulty graph."""
