"""Warm up torch's vectorized functions, whose first call can be wrong if two threads make it at once.

On x86, torch computes these functions of contiguous float32 and float64 tensors with oneMKL. In its first call oneMKL
stores the type of the processor in a variable of the process and then replaces it by an index into its kernels. A
thread that reads the variable in between takes the index of a low-accuracy kernel for its share of that call
(https://github.com/pytorch/pytorch/issues/188792; seen with oneMKL 2024.2, which torch 2.13 contains). The result is
off by up to 1.6e-4 of its size in float32 and 7e-9 in float64. Later calls are right.
"""

from functools import cache
from threading import Lock

import torch

#: The functions that torch computes with oneMKL: `IMPLEMENT_VML_MKL` in ATen/cpu/vml.h of torch 2.13.
FUNCTIONS = (
    *("acos", "asin", "atan", "cos", "erf", "erfc", "erfinv", "exp"),
    *("log", "log10", "log2", "sin", "sqrt", "tan", "tanh", "trunc"),
)

PRECISIONS = (torch.float32, torch.float64)

_lock = Lock()


def warm_up() -> None:
    """Call each function in each precision on one element, so that only this thread computes.

    Call this before any computation with torch. Further calls in the same process do nothing, and a process that is
    forked later does not need the call.

    >>> warm_up()
    """
    with _lock:  # a second thread waits until the first calls are over
        _call_each()


@cache
def _call_each() -> None:
    for precision in PRECISIONS:
        one = torch.full((1,), 0.5, dtype=precision)
        for name in FUNCTIONS:
            getattr(torch, name)(one)
