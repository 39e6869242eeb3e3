"""The machine's limits: how fast it multiplies matrices and reads memory, in the same rounds as the runtimes.

A limit is measured by a kernel that has the shape of a runtime, so a latency worker holds it like any other. What the
machine can do drifts from hour to hour; so a runtime's share of a limit is paired by round, as every ratio is. Which
limit counts: prefill does many operations for each byte and is held against the matrix products, a decode step reads
every weight for one token and is held against the memory (the roofline model; Williams, Waterman and Patterson 2009).
"""

from dataclasses import dataclass
from typing import Literal

from compare.latency.statistics import paired_ratio, typical
from compare.results.latency import Ratio
from compare.runtimes.registry import Spec
from compare.runtimes.registry import spec_of as runtime_of

Unit = Literal["flops", "bytes"]


@dataclass(frozen=True)
class LimitSpec(Spec):
    """A kernel that reaches a limit. unit: what it does, and under which name its facts say how much a call is."""

    noun = "limit"
    unit: Unit = "flops"


def _limit(name: str, target: str, summary: str, unit: Unit) -> LimitSpec:
    return LimitSpec(
        name, f"compare.latency.limit_kernels:{target}", summary, ("torch",), "pip install torch", unit=unit
    )


COMPUTE = _limit("matrix-product", "MatrixProduct", "a large float32 matrix product", "flops")
BANDWIDTH = _limit("memory-bandwidth", "MemoryBandwidth", "a sum over more memory than caches hold", "bytes")


def spec_of(name: str) -> Spec:
    """What a latency worker is to hold: a limit, or the runtime of that name.

    Raises `BadInput` for an unknown one, `CannotRun` for a broken one.
    """
    limits: dict[str, Spec] = {spec.name: spec for spec in (COMPUTE, BANDWIDTH)}
    return limits.get(name) or runtime_of(name)


@dataclass(frozen=True)
class Limit:
    """What a kernel reached. per_call: FLOPs or bytes of one call. turns: round -> nanoseconds of each call."""

    per_call: int
    turns: dict[int, list[int]]

    @property
    def per_second(self) -> float:
        """The median over rounds, in FLOP/s or bytes/s.

        >>> Limit(200, {0: [1000], 1: [2000], 2: [1000]}).per_second == 200e6
        True
        """
        return self.per_call / typical(self.turns) * 1e9

    def share(self, turns: dict[int, list[int]], work: int, seed: int) -> Ratio | None:
        """Which part of the limit was reached by something that took these turns for `work` FLOPs or bytes a call.

        Paired by round, with the interval of `paired_ratio`; None where they share no round. Here the second round was
        twice as slow for both, and both reached as much of the other as in the first:

        >>> Limit(200, {0: [10], 1: [20]}).share({0: [40], 1: [80]}, work=400, seed=0)
        Ratio(estimate=0.5, low=0.5, high=0.5)
        """
        ratio = paired_ratio(self.turns, turns, seed)
        if ratio is None:
            return None
        of_work = work / self.per_call
        return Ratio(estimate=ratio.estimate * of_work, low=ratio.low * of_work, high=ratio.high * of_work)
