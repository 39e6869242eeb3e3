"""Decoding with a cache of keys and values: a timed greedy generation, and an untimed pass over a given text.

Both run in the latency worker. TTFT is the time to the first token, which is the time of the prefill. TPOT is the time
of each further token.
"""

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.runtimes.spec import Decoder, LoopDecoder, SelfTimedDecoder

#: The number of tokens of one generation. The prefill gives the first token, so there is one step fewer.
TOKENS = 16

#: The largest number of steps of `follow`.
STEPS = 128

#: The same for further prefills of a text whose steps were checked after a shorter one. The call for the rest is then a
#: step of many positions.
FEW_STEPS = 16


def prompt_length(attention_mask: NDArray[Any], positions: int | None) -> int:
    """Return the length of the prompt: the positions without padding that leave room for the generation.

    attention_mask: 1 for tokens and 0 for padding, (batch, positions).
    positions: the number of positions that the model has, None if it has no limit.

    >>> prompt_length(np.array([[1, 1, 1, 1], [1, 1, 1, 0]]), positions=None)
    3
    """
    real = int(attention_mask.sum(axis=1).min())
    return real if positions is None else max(1, min(real, positions - TOKENS))


def generate(decoder: Decoder | LoopDecoder, prompt: NDArray[Any], count: int = TOKENS) -> dict[str, Any]:
    """Continue a prompt with the most likely token at each step, and time the prefill and the steps.

    prompt: token ids, int64 (batch, positions). count: the number of tokens, the one of the prefill included.

    Returns `prefill_ns`, `ns` (one number per step), and `tokens` (one list per sequence). An untimed prefill of one
    position comes first and warms up caches and threads. Choosing the token is not timed, because it is the same work
    for every runtime. A `LoopDecoder` chooses it in its loop, so its times include that.
    """
    batch, length = prompt.shape
    decoder.run(prompt[:, :1].copy(), np.ones((batch, 1), np.int64))
    if isinstance(decoder, LoopDecoder):
        times, chosen = decoder.generate(prompt, count)
        return {"prefill_ns": times[0], "ns": times[1:], "tokens": chosen.tolist()}
    mask = np.ones((batch, length + count), np.int64)
    prefill, logits = timed(decoder, decoder.run, prompt, mask[:, :length].copy())
    steps, tokens = [], [next_tokens(logits)]
    for place in range(length, length + count - 1):
        taken, logits = timed(decoder, decoder.step, tokens[-1], mask[:, : place + 1].copy())
        steps.append(taken)
        tokens.append(next_tokens(logits))
    return {"prefill_ns": prefill, "ns": steps, "tokens": np.concatenate(tokens, axis=1).tolist()}


def timed(
    decoder: Decoder, call: Callable[..., Any], ids: NDArray[Any], mask: NDArray[Any]
) -> tuple[int, NDArray[Any]]:
    """Make a call of a decoder, its `run` or `step`, and return its time in nanoseconds and its logits."""
    start = time.perf_counter_ns()
    logits = call(ids, mask)["logits"]
    end = time.perf_counter_ns()
    return (decoder.last_ns if isinstance(decoder, SelfTimedDecoder) else end - start), logits


def next_tokens(logits: NDArray[Any]) -> NDArray[Any]:
    """Return the most likely token after the last position, int64 (batch, 1).

    logits: (batch, positions, vocabulary).
    """
    chosen: NDArray[Any] = logits[:, -1:].argmax(axis=-1).astype(np.int64)
    return chosen


def follow(
    decoder: Decoder | LoopDecoder, ids: NDArray[Any], mask: NDArray[Any], prefill: int, steps: int = STEPS
) -> NDArray[Any]:
    """Return the logits at every position of a text, decoded with the cache: (batch, positions, vocabulary).

    ids, mask: int64 (batch, positions).
    prefill: the number of positions in the first pass.

    steps: the largest number of steps, each of one position. One more call takes the rest of the text; only a
        `LoopDecoder` takes it in steps too.

    If the cache is right, the logits are those of one pass over the whole text.
    """
    if isinstance(decoder, LoopDecoder):
        return decoder.follow(ids, mask, prefill)["logits"]
    parts = [decoder.run(ids[:, :prefill].copy(), mask[:, :prefill].copy())["logits"]]
    ends = [*range(prefill + 1, ids.shape[1] + 1)][:steps]
    for start, end in pairwise([prefill, *ends, *([ids.shape[1]] if ends[-1] < ids.shape[1] else [])]):
        parts.append(decoder.step(ids[:, start:end].copy(), mask[:, :end].copy())["logits"])
    return np.concatenate(parts, axis=1)


def prefills(positions: int) -> list[int]:
    """Return the prefill lengths with which `follow` checks a text of this length: 1, 16, and half of the text.

    >>> prefills(128), prefills(12)
    ([1, 16, 64], [1, 6])
    """
    return sorted({length for length in (1, 16, positions // 2) if 1 <= length < positions})
