"""How far a run is from the truth: the golden run in float64, and the gaps to it."""
