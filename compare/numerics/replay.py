"""Replays: what golden would have made of a runtime's own inputs, segment by segment.

A tensor's gap to golden holds every error made before it. To charge an error where it was made, each segment of the
model (embedding; norm and projections to query, key, value; attention; output projection; MLP; head) is run in
float64 from what the runtime itself put into it. One forward pass does all of them: at every tap the float64 model's
tensor is kept, and the runtime's takes its place in what follows. Where a runtime exposes less, segments are longer.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from compare.numerics.golden import float64_throughout, golden_attention
from export.taps import run_tapped

#: Kinds of taps that something in the model goes on from. Probabilities are looked at and not used again.
FORWARDED = ("hidden_state", "query", "key", "value", "context", "mid_state")


def replay(
    model: Any, input_ids: Tensor, attention_mask: Tensor, trace: Mapping[str, Any], positions: Tensor | None = None
) -> dict[str, Tensor]:
    """The float64 model's tensors, each computed from the trace's own nearest inputs; names as in the trace of golden.

    model: in float64. trace: named arrays of a run, of whatever precision, all that it exposes. positions: int64
    (batch, sequence), where others than those that the mask says are wanted.
    """
    given = {name: torch.tensor(trace[name], dtype=torch.float64) for name in profile_of(trace)}
    with float64_throughout():
        return run_tapped(model, input_ids, attention_mask, golden_attention, given=given, positions=positions)


def profile_of(names: Iterable[str]) -> frozenset[str]:
    """Which of the taps that a replay goes on from are there: runs of one profile are parted into the same segments."""
    return frozenset(name for name in names if name.partition(".")[0] in FORWARDED)
