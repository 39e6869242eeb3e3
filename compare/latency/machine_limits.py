"""The machine's limits: how fast it multiplies matrices and reads memory, in the same rounds as the runtimes.

A limit is measured by a kernel with the interface of a runtime, so that a latency worker can run it. The machine's
speed drifts from hour to hour, so a runtime's share of a limit is paired by round, as every ratio is. Prefill does many
operations per byte and is compared with the matrix product. A decode step reads every weight for one token and is
compared with the memory bandwidth (the roofline model; Williams, Waterman and Patterson 2009).
"""

from dataclasses import dataclass
from typing import Literal

from compare.latency.statistics import paired_ratio, typical
from compare.lazy import TORCH_LIBRARIES
from compare.results.latency import Ratio
from compare.runtimes.registry import spec_of
from compare.runtimes.spec import Spec

Unit = Literal["flops", "bytes"]


@dataclass(frozen=True)
class LimitSpec(Spec):
    """A kernel that reaches a limit of the machine.

    unit: the unit of the kernel's work. The kernel's `facts` give the work of one call under this name.
    """

    noun = "limit"
    unit: Unit = "flops"


def _limit(name: str, target: str, summary: str, unit: Unit) -> LimitSpec:
    return LimitSpec(
        name,
        f"compare.latency.limit_kernels:{target}",
        summary,
        ("torch",),
        "pip install torch",
        unit=unit,
        libraries=TORCH_LIBRARIES,
    )


COMPUTE = _limit("matrix-product", "MatrixProduct", "a large float32 matrix product", "flops")
BANDWIDTH = _limit("memory-bandwidth", "MemoryBandwidth", "a sum over more memory than caches hold", "bytes")


def limit_or_runtime(name: str) -> Spec:
    """Return the limit or the runtime of that name, for a latency worker.

    Raises `BadInput` if the name is unknown, `CannotRun` if the runtime's entry point cannot be read.
    """
    limits: dict[str, Spec] = {spec.name: spec for spec in (COMPUTE, BANDWIDTH)}
    return limits.get(name) or spec_of(name)


@dataclass(frozen=True)
class Limit:
    """The measurement of one limit.

    per_call: FLOPs or bytes of one call.
    turns: round -> nanoseconds of each call.
    """

    per_call: int
    turns: dict[int, list[int]]

    @property
    def per_second(self) -> float:
        """The kernel's median speed over rounds, in FLOP/s or bytes/s.

        >>> Limit(200, {0: [1000], 1: [2000], 2: [1000]}).per_second == 200e6
        True
        """
        return self.per_call / typical(self.turns) * 1e9

    def share(self, turns: dict[int, list[int]], work: int, seed: int) -> Ratio | None:
        """Return the share of the limit that a runtime reached, with the interval of `paired_ratio`.

        turns: the runtime's turns, round -> nanoseconds of each call.
        work: FLOPs or bytes of one call of the runtime.
        seed: seed of the interval.

        Times are paired by round. The result is None if there is no common round. In the example, both sides are twice
        as slow in the second round, and the share stays the same:

        >>> Limit(200, {0: [10], 1: [20]}).share({0: [40], 1: [80]}, work=400, seed=0)
        Ratio(estimate=0.5, low=0.5, high=0.5)
        """
        ratio = paired_ratio(self.turns, turns, seed)
        if ratio is None:
            return None
        of_work = work / self.per_call
        return Ratio(estimate=ratio.estimate * of_work, low=ratio.low * of_work, high=ratio.high * of_work)
