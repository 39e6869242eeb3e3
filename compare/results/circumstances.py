"""The model, the input and the machine of a comparison, and the ruler, controls and heads of its numerics."""

from dataclasses import dataclass, field
from typing import Literal

from compare.results.base import Result


@dataclass(kw_only=True)
class ComparedModel(Result):
    """The model that was compared."""

    name: str
    asked_for: str  # the name that was given; for a folder, the last component of its path
    provenance: str  # where its weights come from
    trained: bool  # False if its weights are random
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
    exporter: str  # the exporter of its graphs
    opset: int
    graph_bytes: int  # size of all files of the entry
    output: Literal["logits", "last_hidden_state"] = "logits"  # the latter for an encoder
    # for an encoder: the modes by which sentence-transformers pools hidden states into an embedding
    pooling: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class PaddedInput(Result):
    """The padded input."""

    sequences: int
    longest: int  # tokens of the longest sequence, without padding
    shortest: int  # tokens of the shortest sequence, without padding
    sha256: str  # of ids and mask


@dataclass(kw_only=True)
class ModelInput(Result):
    """The input of the model."""

    batch: int
    sequence: int
    padding: int  # number of positions that are padding
    tokens: list[str]  # the first sequence of the batch, as text
    sha256: str  # of ids and mask
    padded: PaddedInput | None = None


@dataclass(kw_only=True)
class Environment(Result):
    """The machine and the packages. It contains no host name and no paths."""

    python: str
    platform: str
    processor: str
    cores: int
    memory_bytes: int
    threads: int
    cpus: list[int] | None = None  # the CPUs that workers were pinned to; None if they were not pinned
    device: str = "cpu"  # what the baseline computed on, "cpu" or "cuda"
    gpus: list[str] = field(default_factory=list)  # names, memory and driver of the GPUs, if one was used
    packages: dict[str, str]
    commit: str | None


@dataclass(frozen=True, kw_only=True)
class Ruler(Result):
    """The agreement of golden with transformers' eager attention in float64.

    The root mean square is compared, not the largest difference. The root mean square of attention shrinks as the
    sequence grows and its largest element does not, so the largest difference over the root mean square is above 1e-12
    at 512 tokens although nothing is wrong (docs/verdicts.md).
    """

    worst: float  # root mean square of the difference over that of the tensor, for the worst tensor
    tensor: str  # the worst tensor
    limit: float  # above it, golden and eager compute different things, and nothing is judged

    @property
    def holds(self) -> bool:
        return self.worst <= self.limit

    def why_not(self, where: str = "") -> str:
        """Say that it does not hold, and by how much. where: the input, if it is not the main one."""
        return (
            f"the ruler does not hold{where and f' {where}'}: golden differs from transformers' eager attention in "
            f"float64 by {self.worst:.1e} of the size of {self.tensor}, limit {self.limit:.0e}. Nothing is judged; "
            "please report the model's name"
        )

    def __str__(self) -> str:
        return f"golden agrees with transformers' eager attention in float64: {self.worst:.1g}"


@dataclass(kw_only=True)
class Controls(Result):
    """The controls: float32 runs that differ from golden by rounding alone."""

    names: list[str]
    distinct: int  # number of distinct outputs among them


@dataclass(frozen=True, kw_only=True)
class Head(Result):
    """A head that figures show unless another one is asked for."""

    layer: int  # counted from 0
    head: int  # counted from 0
    name: str  # contains the reason why it was chosen
