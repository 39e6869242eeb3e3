"""Test decoding with a decoder whose answers are known."""

import numpy as np
import pytest

from compare.latency import decoding


class Counter:
    """A decoder whose most likely next token is the sum of all earlier ones. It records its inputs."""

    vocabulary = 50

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.calls: list[tuple[str, int, int]] = []

    def run(self, ids, mask):
        assert ids.shape == mask.shape
        self.seen = [[] for _ in ids]
        self.calls.append(("run", ids.shape[1], mask.shape[1]))
        return {"logits": np.concatenate([self._one(ids[:, i : i + 1]) for i in range(ids.shape[1])], axis=1)}

    def step(self, ids, mask):
        self.calls.append(("step", ids.shape[1], mask.shape[1]))
        return {"logits": np.concatenate([self._one(ids[:, i : i + 1]) for i in range(ids.shape[1])], axis=1)}

    def _one(self, ids):
        logits = np.zeros((len(ids), 1, self.vocabulary), np.float32)
        for row, token in enumerate(ids[:, 0]):
            self.seen[row].append(int(token))
            logits[row, 0, sum(self.seen[row]) % self.vocabulary] = 1.0
        return logits


def test_a_generation_feeds_each_token_back() -> None:
    counter = Counter()
    found = decoding.generate(counter, np.array([[1, 2], [3, 4]]))
    doubling = [[3, 6, 12, 24, 48, 46, 42, 34, 18, 36, 22, 44, 38, 26, 2, 4]]
    assert found["tokens"][:1] == doubling
    assert found["tokens"][1][:3] == [7, 14, 28]
    assert len(found["ns"]) == decoding.TOKENS - 1
    assert found["prefill_ns"] > 0
    steps = [("step", 1, length) for length in range(3, 18)]
    assert counter.calls == [("run", 1, 1), ("run", 2, 2), *steps]


class TimedCounter(Counter):
    """A decoder that measures its own calls: each takes a nanosecond longer than the one before."""

    last_ns = 0

    def facts(self): ...

    def operators(self, ids, mask): ...

    def close(self): ...

    def _one(self, ids):
        self.last_ns = len(self.calls)
        return super()._one(ids)


def test_a_decoder_that_measures_its_own_calls_gives_their_times() -> None:
    found = decoding.generate(TimedCounter(), np.array([[1, 2], [3, 4]]), 4)
    assert found["prefill_ns"] == 2  # the second call, after one that warms up
    assert found["ns"] == [3, 4, 5]


class Loop(TimedCounter):
    """A decoder that has a loop of its own."""

    def generate(self, prompt, count):
        self.calls.append(("generate", prompt.shape[1], count))
        return [70, *range(1, count)], np.zeros((len(prompt), count), np.int64)

    def follow(self, ids, mask, prefill):
        self.calls.append(("follow", ids.shape[1], prefill))
        return {"logits": np.ones((*ids.shape, 5))}


def test_a_decoder_with_a_loop_of_its_own_is_asked_once() -> None:
    loop, ids = Loop(), np.array([[1, 2], [3, 4]])
    found = decoding.generate(loop, ids, 4)
    assert found == {"prefill_ns": 70, "ns": [1, 2, 3], "tokens": [[0] * 4] * 2}
    assert decoding.follow(loop, ids, np.ones_like(ids), 1).shape == (2, 2, 5)
    assert loop.calls == [("run", 1, 1), ("generate", 2, 4), ("follow", 2, 1)]


@pytest.mark.parametrize("prefill", [1, 3, 5])
def test_following_a_text_gives_the_logits_of_every_position_once(prefill: int) -> None:
    ids = np.array([[1, 2, 3, 4, 5, 6]])
    counter = Counter()
    logits = decoding.follow(counter, ids, np.ones_like(ids), prefill)
    assert logits.argmax(-1).tolist() == [[1, 3, 6, 10, 15, 21]]
    assert counter.calls == [("run", prefill, prefill), *[("step", 1, length) for length in range(prefill + 1, 7)]]


def test_what_is_left_of_a_long_text_is_taken_at_once() -> None:
    ids = np.array([[1, 2, 3, 4, 5, 6]])
    counter = Counter()
    logits = decoding.follow(counter, ids, np.ones_like(ids), prefill=1, steps=2)
    assert logits.argmax(-1).tolist() == [[1, 3, 6, 10, 15, 21]]
    assert counter.calls == [("run", 1, 1), ("step", 1, 2), ("step", 1, 3), ("step", 3, 6)]


def test_a_prompt_leaves_room_for_what_is_generated() -> None:
    mask = np.ones((2, 40), np.int64)
    assert decoding.prompt_length(mask, positions=None) == 40
    assert decoding.prompt_length(mask, positions=48) == 32
    assert decoding.prompt_length(mask, positions=8) == 1
    mask[1, 30:] = 0
    assert decoding.prompt_length(mask, positions=1024) == 30


@pytest.mark.parametrize(("positions", "lengths"), [(128, [1, 16, 64]), (32, [1, 16]), (3, [1]), (1, [])])
def test_a_text_is_prefilled_by_one_position_sixteen_and_half(positions: int, lengths: list[int]) -> None:
    assert decoding.prefills(positions) == lengths
