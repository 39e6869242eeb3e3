"""Golden in float64, the gaps of runs to golden, and the verdicts on the runs."""
