"""Choose the heads whose attention is plotted, and cut their maps out of traces."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.results.circumstances import Head

#: The largest number of rows and columns of a map; a larger plot could not be read. The first ones are kept.
LARGEST_MAP = 64


def choose_heads(golden: Mapping[str, NDArray[Any]]) -> list[Head]:
    """Return the heads with the lowest, the median and the highest entropy: sharpest, middle and flattest.

    The entropy is the mean over the rows of the first sequence of the batch, in nats. Fewer than three heads are
    returned if the model has fewer.
    """
    entropies = []
    for name in (name for name in golden if name.startswith("attention.")):
        rows = golden[name][0]
        entropy = -np.sum(rows * np.log(np.where(rows > 0, rows, 1)), axis=-1).mean(axis=-1)
        entropies += [(float(e), int(name.partition(".")[2]), head) for head, e in enumerate(entropy)]
    entropies.sort()
    places = {len(entropies) // 2: "middle", len(entropies) - 1: "flattest", 0: "sharpest"}
    chosen = [(*entropies[i][1:], places[i]) for i in sorted(places)] if entropies else []
    return [Head(layer=layer, head=head, name=f"layer {layer} head {head} ({why})") for layer, head, why in chosen]


def head_map(trace: Mapping[str, NDArray[Any]], head: Head) -> NDArray[Any] | None:
    """Return a head's attention (query, key) on the first sequence; None if the trace does not contain it."""
    name = f"attention.{head.layer}"
    if name not in trace:
        return None
    attention: NDArray[Any] = np.array(trace[name][0, head.head, :LARGEST_MAP, :LARGEST_MAP], dtype=np.float64)
    return attention
