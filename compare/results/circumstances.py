"""The parts of a report that say what was compared, on what, and where."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="strings", protected_namespaces=())


class ModelPart(Part):
    """The model that was compared. provenance: where its weights come from. entry: its folder in the cache."""

    name: str
    asked_for: str
    provenance: str
    trained: bool
    entry: str
    type: str
    layers: int
    heads: int
    key_value_heads: int
    head_dim: int
    hidden: int
    vocabulary: int
    positions: int
    parameters: int
    tokens_are: Literal["bytes", "vocabulary"]
    exporter: str
    opset: int
    graph_bytes: int


class PaddedInputPart(Part):
    """The second input of the numerics, with padding on either side. longest, shortest: real tokens of a sequence.

    sha256: of ids and mask.
    """

    sequences: int
    longest: int
    shortest: int
    sha256: str


class InputPart(Part):
    """What ran through the model. tokens: the first sequence of the batch, as text. sha256: of ids and mask."""

    batch: int
    sequence: int
    padding: int
    tokens: list[str]
    sha256: str
    padded: PaddedInputPart | None = None


class EnvironmentPart(Part):
    """The machine and the packages, without names or paths of the machine.

    cpus: those that whatever was timed was bound to; None where it was not.
    """

    python: str
    platform: str
    processor: str
    cores: int
    memory_bytes: int
    threads: int
    cpus: list[int] | None = None
    packages: dict[str, str]
    commit: str | None


class RulerPart(Part):
    """Golden against transformers' eager attention in float64: relative root mean square of the worst tensor."""

    worst: float
    tensor: str
    limit: float


class ControlsPart(Part):
    """The float32 runs that differ from golden by rounding alone, and how many of them gave distinct logits."""

    names: list[str]
    distinct: int


class HeadPart(Part):
    """A head that has maps in `maps.npz`: arrays `golden/INDEX` and `RUNTIME/INDEX`, INDEX its place in `heads`."""

    layer: int
    head: int
    name: str
