"""Which heads are worth a picture, and what their attention looks like in golden and in a run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.results.circumstances import Head

#: A map larger than this cannot be read as a picture: its first rows and columns are kept.
LARGEST_MAP = 64


def choose_heads(golden: Mapping[str, NDArray[Any]]) -> list[Head]:
    """The sharpest, the middle and the flattest head of the model, by the mean entropy of their rows in nats.

    The first sequence of the batch decides. Fewer than three where the model has fewer heads.
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
    """A head's attention (query, key) on the first sequence of the batch, or None where the run does not expose it."""
    name = f"attention.{head.layer}"
    if name not in trace:
        return None
    attention: NDArray[Any] = np.array(trace[name][0, head.head, :LARGEST_MAP, :LARGEST_MAP], dtype=np.float64)
    return attention
