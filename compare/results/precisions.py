"""The unit roundoff of each precision, in which errors are counted, and the bound on a sum in units of it.

Nothing but arithmetic, so that `numerics`, which measures errors, and `report`, which shows them, may both import this.
"""

#: Float32's unit roundoff: half the distance from 1 to the next number (Higham 2002, section 2.1).
UNIT_ROUNDOFF = 2.0**-24

#: The unit roundoffs of precisions that a runtime may lower itself to: 2 to the minus number of significand bits.
LOWER = {"bf16": 2.0**-8, "fp16 or TF32": 2.0**-11}


def gamma(terms: int, roundoff: float = UNIT_ROUNDOFF) -> float:
    """Higham's gamma_n, n u / (1 - n u): what no order of summing n products can exceed (Higham 2002, section 3.1).

    It is relative to the sum of the products' absolute values, and infinite if n u reaches 1. It holds for the worst
    signs that roundings could have, which they do not have, so errors stay below it.

    >>> round(gamma(768) / UNIT_ROUNDOFF, 2)
    768.04
    """
    share = terms * roundoff
    return share / (1 - share) if share < 1 else float("inf")
