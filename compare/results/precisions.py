"""The unit roundoffs of precisions, and Higham's bound on a sum.

Both `numerics`, which measures errors, and `report`, which shows them, import this module.
"""

#: The unit roundoff of float32: half the distance from 1 to the next number (Higham 2002, section 2.1).
UNIT_ROUNDOFF = 2.0**-24

#: The precision of golden's rulers and of runtimes unless they say otherwise.
FLOAT32 = "float32"

#: The unit roundoffs of lower precisions that a runtime may compute in: 2**-n for n significand bits.
LOWER = {"bf16": 2.0**-8, "fp16 or TF32": 2.0**-11}

#: The unit roundoffs of the precisions in which values are rounded, not only the weights and inputs of linear maps.
ROUNDOFFS = {FLOAT32: UNIT_ROUNDOFF, "bf16": LOWER["bf16"], "fp16": LOWER["fp16 or TF32"]}

#: The precisions that have controls of their own (`compare.numerics.low_precision`).
OWN_CONTROLS = ("bf16", "fp16", "int8", "int4")


def gamma(terms: int) -> float:
    """Return Higham's gamma_n, n u / (1 - n u): the bound on the error of summing n products in float32 in any order.

    terms: n. The bound is relative to the sum of the products' absolute values, and infinite if n u reaches 1, where u
    is `UNIT_ROUNDOFF`. It assumes that all roundings have the worst signs, so actual errors stay below it (Higham 2002,
    section 3.1).

    >>> round(gamma(768) / UNIT_ROUNDOFF, 2)
    768.04
    """
    share = terms * UNIT_ROUNDOFF
    return share / (1 - share) if share < 1 else float("inf")
