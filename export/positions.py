"""Position ids, computed by the same rule for every run of a model."""

from typing import Any


def positions_of(attention_mask: Any, new: int) -> Any:
    """Return the position ids of the last `new` positions of a mask. Padding is not counted.

    These are the positions that transformers' `generate` uses. The tokens of a sequence have the same position ids with
    padding on either side as without padding. Padding gets the ids of neighbouring tokens, which do not affect other
    positions.

    attention_mask: int64 (batch, past + new), 0 at padding; a NumPy array or a torch tensor.
    Returns an array or tensor of the same type, (batch, new).

    >>> import numpy as np
    >>> positions_of(np.array([[0, 0, 1, 1], [1, 1, 1, 0]]), 4).tolist()
    [[0, 0, 0, 1], [0, 1, 2, 2]]
    >>> positions_of(np.array([[0, 0, 1, 1]]), 1).tolist()
    [[1]]
    """
    positions = (attention_mask.cumsum(-1) - 1).clip(min=0)
    return positions[:, attention_mask.shape[1] - new :]
