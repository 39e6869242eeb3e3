"""Decoding with a cache of keys and values: a short greedy generation, timed, and the given text, token by token.

Both run in the latency worker. TTFT is the time to the first token, the prefill; TPOT that of each token after it.
"""

import time
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.runtimes.registry import Decoder

#: Tokens of a generation, and so one step less.
TOKENS = 16

#: Steps that a text is followed by, one position each; what is left of a longer text is taken at once.
STEPS = 128


def prompt_length(attention_mask: NDArray[Any], positions: int | None) -> int:
    """How long a prompt can be taken from a batch: no padding in it, and room for the generation behind it.

    >>> prompt_length(np.array([[1, 1, 1, 1], [1, 1, 1, 0]]), positions=None)
    3
    """
    real = int(attention_mask.sum(axis=1).min())
    return real if positions is None else max(1, min(real, positions - TOKENS))


def generate(decoder: Decoder, prompt: NDArray[Any]) -> dict[str, Any]:
    """Continue a prompt, int64 of (batch, positions), by the most likely token each time.

    A prefill of one position, which wakes caches and threads, does not count. Returns `prefill_ns`, `ns` of each step,
    and `tokens`, one list a sequence. Choosing the token is not timed: it is the same work for every runtime.
    """
    batch, length = prompt.shape
    decoder.run(prompt[:, :1].copy(), np.ones((batch, 1), np.int64))
    mask = np.ones((batch, length + TOKENS), np.int64)
    start = time.perf_counter_ns()
    logits = decoder.run(prompt, mask[:, :length].copy())["logits"]
    end = time.perf_counter_ns()
    prefill, steps, tokens = end - start, [], [next_tokens(logits)]
    for place in range(length, length + TOKENS - 1):
        ids, seen = tokens[-1], mask[:, : place + 1].copy()
        start = time.perf_counter_ns()
        logits = decoder.step(ids, seen)["logits"]
        end = time.perf_counter_ns()
        steps.append(end - start)
        tokens.append(next_tokens(logits))
    return {"prefill_ns": prefill, "ns": steps, "tokens": np.concatenate(tokens, axis=1).tolist()}


def next_tokens(logits: NDArray[Any]) -> NDArray[Any]:
    """The most likely token after the last position: (batch, positions, vocabulary) to int64 (batch, 1)."""
    chosen: NDArray[Any] = logits[:, -1:].argmax(axis=-1).astype(np.int64)
    return chosen


def follow(decoder: Decoder, ids: NDArray[Any], mask: NDArray[Any], prefill: int) -> NDArray[Any]:
    """The logits at every position of a text, (batch, positions, vocabulary): some prefilled, then one by one.

    ids, mask: int64 of (batch, positions). After `STEPS` steps the rest of the text goes on from the cache at once.
    Were the cache right, they would be those of one pass over the whole text.
    """
    parts = [decoder.run(ids[:, :prefill].copy(), mask[:, :prefill].copy())["logits"]]
    ends = [*range(prefill + 1, ids.shape[1] + 1)][:STEPS]
    for start, end in pairwise([prefill, *ends, *([ids.shape[1]] if ends[-1] < ids.shape[1] else [])]):
        parts.append(decoder.step(ids[:, start:end].copy(), mask[:, :end].copy())["logits"])
    return np.concatenate(parts, axis=1)


def prefills(positions: int) -> list[int]:
    """How much of a text of so many positions is prefilled where it is followed: one position, 16, and half of it.

    >>> prefills(128), prefills(12)
    ([1, 16, 64], [1, 6])
    """
    return sorted({length for length in (1, 16, positions // 2) if 1 <= length < positions})
