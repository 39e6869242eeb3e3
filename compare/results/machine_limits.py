"""What the machine can do, and how much work the model is."""

from dataclasses import dataclass

from compare.results.base import Result
from compare.results.latency import TurnsPart


@dataclass(frozen=True, kw_only=True)
class Work(Result):
    """How much work the model is on the input (`compare.numerics.diagnostics.model_work`)."""

    prefill_flops: int  # of a pass with the logits of all positions
    decode_bytes: int  # read and written for one more token of each sequence
    past: int  # how many positions are before that token


@dataclass(kw_only=True)
class LimitPart(TurnsPart):
    """A limit of the machine, FLOP/s or bytes/s, measured in the same rounds as the runtimes."""

    name: str
    error: str | None = None  # why nothing is known of it
    per_call: int | None = None  # FLOPs or bytes of a call
    per_second: float | None = None
    median_ms: float | None = None
    spread: float | None = None  # interquartile range over the median


@dataclass(kw_only=True)
class LimitsPart(Result):
    """What the machine can do, and the model's work."""

    compute: LimitPart
    bandwidth: LimitPart
    work: Work | None
    uncounted: str | None = None  # why the work is not known
