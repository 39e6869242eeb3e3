"""Golden in float64, the gaps of runs to it, and the verdicts over them."""
