"""Position ids: the one rule by which every run of a model numbers its positions."""

from typing import Any


def positions_of(attention_mask: Any, new: int) -> Any:
    """The position ids of the last `new` positions of a mask, counted over the positions that are not padding.

    attention_mask: int64 (batch, past + new), 0 at padding; a NumPy array or a torch tensor, and so is the result,
    (batch, new). These are the positions that `generate` of transformers uses: a padded sequence has the positions that
    it has alone, on whichever side it is padded. Padding itself has those of its neighbours; nothing rests on them.

    >>> import numpy as np
    >>> positions_of(np.array([[0, 0, 1, 1], [1, 1, 1, 0]]), 4).tolist()
    [[0, 0, 0, 1], [0, 1, 2, 2]]
    >>> positions_of(np.array([[0, 0, 1, 1]]), 1).tolist()
    [[1]]
    """
    positions = (attention_mask.cumsum(-1) - 1).clip(min=0)
    return positions[:, attention_mask.shape[1] - new :]
