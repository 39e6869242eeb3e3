"""A runtime's row: its gaps, its verdict, and what that rests on."""

from dataclasses import dataclass, field
from math import isnan

from compare.results.base import Result
from compare.results.gaps import Decisions, Gap, TensorEvidence
from compare.results.verdicts import Verdict


@dataclass(kw_only=True)
class GraphPart(Result):
    """The ONNX file of a row."""

    file: str
    bytes: int  # of the file and of those that hold its weights
    sha256: str  # of the same
    opset: int
    fed: list[str]  # the inputs that it was given
    unmatched: list[str]  # outputs that are no tensor of the model, and are not compared
    quantized: list[str]  # its operators that compute with quantized numbers
    halves: list[str]  # half precisions that weights are stored in
    found: list[str] = field(default_factory=list)  # taps that it does not name (`compare.onnx_files.structure`)


@dataclass(kw_only=True)
class PaddingPart(Result):
    """A runtime on the padded input."""

    text: Verdict  # its verdict without padding
    verdict: Verdict | None = None
    skipped: str = ""  # why it has no other verdict
    cause: str = ""  # why it is wrong if sequences are padded (`compare.numerics.padding`); also of rotary positions
    # that count padding, which do no harm
    sides: list[str] = field(default_factory=list)  # the sides of padding on which it is wrong
    evidence: dict[str, TensorEvidence] = field(default_factory=dict)


@dataclass(kw_only=True)
class FurtherRunPart(Result):
    """What the verdict on a further run rests on."""

    evidence: dict[str, TensorEvidence] = field(default_factory=dict)  # by tensor; empty if there was nothing to weigh
    padding: PaddingPart | None = None


@dataclass(kw_only=True)
class RuntimePart(Result):
    """One runtime."""

    name: str
    precision: str  # the one it computes in by intent
    hybrid: bool  # part of it is Python, so it is not timed
    named: bool  # asked for by name
    error: str | None = None  # why it has no gaps
    verdict: Verdict | None = None  # the worse of those on the text and on the padded input, both in `padding`
    padding: PaddingPart | None = None
    decisions: Decisions | None = None
    facts: dict[str, str] = field(default_factory=dict)
    graph: GraphPart | None = None  # the ONNX file that it ran, if one was named
    gaps: list[Gap] = field(default_factory=list)
    again: list[FurtherRunPart] = field(default_factory=list)  # the further runs, if the first one was an alarm

    def largest(self, kind: str) -> float | None:
        """The largest gap over the tensors of a kind ("attention", "logits", ...); None if none is exposed.

        NaN if one of them is NaN.
        """
        found = [gap.max for gap in self.gaps if gap.tensor.partition(".")[0] == kind and gap.max is not None]
        return max(found, key=lambda value: (isnan(value), value)) if found else None

    def above_diagonal(self) -> float | None:
        """The largest probability above the causal diagonal; None if probabilities are not exposed."""
        found = [gap.above_diagonal for gap in self.gaps if gap.above_diagonal is not None]
        return max(found, key=lambda value: (isnan(value), value)) if found else None
