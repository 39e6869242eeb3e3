"""What was compared, on which input, on which machine, and what the numerics rest on."""

from dataclasses import dataclass
from typing import Literal

from compare.results.base import Result


@dataclass(kw_only=True)
class ModelPart(Result):
    """The model that was compared."""

    name: str
    asked_for: str  # the name that was given; of a folder its last part alone
    provenance: str  # where its weights come from
    trained: bool  # False for random weights
    entry: str  # its folder in the cache
    type: str  # its architecture, as transformers names it
    layers: int
    heads: int
    key_value_heads: int
    head_dim: int
    hidden: int
    vocabulary: int
    positions: int
    parameters: int
    tokens_are: Literal["bytes", "vocabulary"]
    exporter: str  # whose graphs ran
    opset: int
    graph_bytes: int  # of all files of the entry


@dataclass(kw_only=True)
class PaddedInputPart(Result):
    """The second input of the numerics, with padding on either side."""

    sequences: int
    longest: int  # real tokens of the longest sequence
    shortest: int
    sha256: str  # of ids and mask


@dataclass(kw_only=True)
class InputPart(Result):
    """The input of the model."""

    batch: int
    sequence: int
    padding: int  # how many positions are padding
    tokens: list[str]  # the first sequence of the batch, as text
    sha256: str  # of ids and mask
    padded: PaddedInputPart | None = None


@dataclass(kw_only=True)
class EnvironmentPart(Result):
    """The machine and the packages, without names or paths of the machine."""

    python: str
    platform: str
    processor: str
    cores: int
    memory_bytes: int
    threads: int
    cpus: list[int] | None = None  # those that the timed processes were bound to; None if they were not
    packages: dict[str, str]
    commit: str | None


@dataclass(frozen=True, kw_only=True)
class Ruler(Result):
    """How well golden agrees with transformers' eager attention in float64.

    The largest difference would not do: the size of attention shrinks with the length of the sequence and its largest
    element does not, so that by that measure float64 itself passes 1e-12 at 512 tokens (docs/method.md).
    """

    worst: float  # root mean square of the difference over that of the tensor, of the worst tensor
    tensor: str  # which that is
    limit: float  # beyond it golden or eager computes something else, and nothing is judged

    @property
    def holds(self) -> bool:
        return self.worst <= self.limit

    def __str__(self) -> str:
        return f"golden agrees with transformers eager in float64: {self.worst:.1g}"


@dataclass(kw_only=True)
class ControlsPart(Result):
    """The controls: float32 runs that differ from golden by rounding alone."""

    names: list[str]
    distinct: int  # how many of them gave distinct logits


@dataclass(frozen=True, kw_only=True)
class Head(Result):
    """A head with maps in `maps.npz`: arrays `golden/INDEX` and `RUNTIME/INDEX`, INDEX its place in the report."""

    layer: int  # counted from 0, as are heads
    head: int
    name: str  # with the reason why it was chosen
