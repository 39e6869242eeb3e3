"""The probabilities of an attention kernel that returns only the context.

A fused kernel never stores its probabilities P. But the context is P times the values, so values that are columns of
the identity matrix make the context columns of P.
"""

from collections.abc import Callable
from typing import Any

Array = Any


def probabilities_by_identity(attend: Callable[[Array], Array], value: Array) -> Array:
    """Return the probabilities (batch, heads, sequence, keys) that a kernel gives to its values.

    attend: the kernel with its query, key, mask and scale. It maps values (batch, key heads, keys, head_dim) to the
    context (batch, heads, sequence, head_dim), and is called ceil(keys / head_dim) times.
    value: the kernel's values in the run, an array of NumPy or Torch. The identity values have the same shape, type,
    device and order of axes in memory, so a library that chooses a kernel by these chooses the same one.

    A product with the identity is exact, so the result has no other rounding than that of the kernel itself.

    >>> import numpy as np
    >>> probabilities = np.array([[[[0.25, 0.75, 0.0], [0.5, 0.25, 0.25]]]])
    >>> probabilities_by_identity(lambda value: probabilities @ value, np.ones((1, 1, 3, 2))).tolist()
    [[[[0.25, 0.75, 0.0], [0.5, 0.25, 0.25]]]]
    """
    from array_api_compat import array_namespace, device

    xp = array_namespace(value)
    keys, size = value.shape[-2:]
    contexts = []
    for first in range(0, keys, size):
        columns = xp.eye(keys, size, k=-first, dtype=value.dtype, device=device(value))
        contexts.append(attend(xp.zeros_like(value) + columns))
    return xp.concat(contexts, axis=-1)[..., :keys]
