"""The limits of the machine, and the work of the model."""

from dataclasses import dataclass

from compare.results.base import Result
from compare.results.latency import TurnRecord


@dataclass(frozen=True, kw_only=True)
class Work(Result):
    """The work of the model on the input (`compare.numerics.diagnostics.model_work`)."""

    prefill_flops: int  # FLOPs of a pass that computes the output of all positions
    decode_bytes: int  # bytes read and written for one more token of each sequence; 0 for an encoder
    past: int  # number of positions before that token; 0 for an encoder


@dataclass(kw_only=True)
class LimitRow(TurnRecord):
    """A limit of the machine, FLOP/s or bytes/s, measured in the same rounds as the runtimes."""

    name: str
    error: str | None = None  # why it could not be measured
    per_call: int | None = None  # FLOPs or bytes of a call
    per_second: float | None = None
    median_ms: float | None = None
    spread: float | None = None  # interquartile range over the median


@dataclass(kw_only=True)
class MachineLimits(Result):
    """The limits of the machine, and the model's work."""

    compute: LimitRow
    bandwidth: LimitRow
    work: Work | None
    uncounted: str | None = None  # why the work could not be counted
