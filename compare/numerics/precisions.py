"""The unit roundoff of each precision: half the distance from 1 to the next number (Higham 2002, section 2.1).

Constants alone: a saved report is shown where not even NumPy is.
"""

#: Of float32, in which models are stored and most runtimes compute.
UNIT_ROUNDOFF = 2.0**-24

#: Of the precisions that a runtime may have lowered itself to: 2 to the minus number of bits in the significand.
LOWER = {"bf16": 2.0**-8, "fp16 or TF32": 2.0**-11}
