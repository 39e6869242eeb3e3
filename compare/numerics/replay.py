"""Replays: golden's computation of each segment from a run's own inputs to it.

A tensor's gap to golden contains the errors of all segments before it. To find the segment that makes an error, each
segment of the model (embedding; norm and projections to query, key, value; attention; output projection; MLP; head) is
computed in float64 from the run's own inputs to it. One forward pass replays all segments: at every tap the float64
model's tensor is kept, and the run's tensor replaces it in the rest of the pass. If a run exposes fewer tensors, its
segments are longer.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from compare.numerics.golden import float64_throughout, golden_attention
from export.taps import run_tapped

#: Kinds of taps that later segments take as input. Probabilities are taps, but no later segment reads them.
FORWARDED = ("hidden_state", "query", "key", "value", "context", "mid_state")


def replay(
    model: Any, input_ids: Tensor, attention_mask: Tensor, trace: Mapping[str, Any], positions: Tensor | None = None
) -> dict[str, Tensor]:
    """Return the float64 model's tensors, each computed from the nearest earlier tensors of a trace.

    model: in float64. input_ids, attention_mask: (batch, sequence). trace: all arrays that the run exposes, by name, of
    any precision. positions: int64 (batch, sequence); counted from the mask by default.
    """
    given = {name: torch.tensor(trace[name], dtype=torch.float64) for name in profile_of(trace)}
    with float64_throughout():
        return run_tapped(model, input_ids, attention_mask, golden_attention, given=given, positions=positions)


def profile_of(names: Iterable[str]) -> frozenset[str]:
    """Return the tensors that later segments take as input. Runs with the same profile have the same segments."""
    return frozenset(name for name in names if name.partition(".")[0] in FORWARDED)
