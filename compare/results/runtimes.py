"""A runtime's row: its gaps, its verdict, and the evidence for it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isnan

from compare.results.base import Result
from compare.results.embeddings import EmbeddingChanges
from compare.results.gaps import Decisions, Gap, OwnEvidence, TensorEvidence
from compare.results.verdicts import Verdict


@dataclass(kw_only=True)
class OnnxGraph(Result):
    """The ONNX file of a row."""

    file: str
    bytes: int  # size of the file and of the files with its weights
    sha256: str  # of the same files
    opset: int
    fed: list[str]  # the names of the inputs that it was fed
    unmatched: list[str]  # outputs that match no tensor of the model, so they are not compared
    quantized: list[str]  # its operators that compute with quantized numbers
    halves: list[str]  # half precisions that weights are stored in
    # taps whose tensors it does not name, located by its structure (`compare.onnx_files.structure`)
    found: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class PaddedResult(Result):
    """A runtime's result on the padded input."""

    text: Verdict  # its verdict on the text
    verdict: Verdict | None = None  # its verdict on the padded input
    skipped: str = ""  # why it was not judged on the padded input
    # why it is wrong if sequences are padded (`compare.numerics.padding`); also set if rotary positions count padding,
    # which does no harm
    cause: str = ""
    sides: list[str] = field(default_factory=list)  # the sides of padding on which it is wrong
    evidence: dict[str, TensorEvidence] = field(default_factory=dict)


@dataclass(kw_only=True)
class FurtherRun(Result):
    """The evidence for the verdict on a further run of a second look."""

    evidence: dict[str, TensorEvidence] = field(default_factory=dict)  # by tensor; empty if no tensor was weighed
    padding: PaddedResult | None = None


@dataclass(kw_only=True)
class RuntimeResult(Result):
    """The row of one runtime."""

    name: str
    precision: str  # the precision that it is meant to compute in
    hybrid: bool  # whether only its attention runs in another library; then it is not timed
    named: bool  # whether it was asked for by name
    device: str = "cpu"  # what it computes on, "cpu" or "cuda"
    options: dict[str, str] = field(default_factory=dict)  # options of its runtime that were set, key -> value
    error: str | None = None  # why it has no gaps
    verdict: Verdict | None = None  # the worse of the verdicts on the text and on the padded input, both in `padding`
    padding: PaddedResult | None = None
    decisions: Decisions | None = None
    embeddings: EmbeddingChanges | None = None  # for an encoder
    facts: dict[str, str] = field(default_factory=dict)
    graph: OnnxGraph | None = None  # the ONNX file that it ran, if one was given, or made by a converter
    gaps: list[Gap] = field(default_factory=list)
    again: list[FurtherRun] = field(default_factory=list)  # the further runs, if the first one was an alarm

    def largest(self, kind: str) -> float | None:
        """Return the largest gap over the tensors of a kind ("attention", "hidden_state", ...).

        It is None if no such tensor is exposed, and NaN if one of the gaps is NaN.
        """
        found = [gap.max for gap in self.gaps if gap.tensor.partition(".")[0] == kind and gap.max is not None]
        return max(found, key=lambda value: (isnan(value), value)) if found else None

    @property
    def output(self) -> Gap | None:
        """The gap of the model's output, which alone belongs to no layer; None if there are no gaps."""
        return next((gap for gap in self.gaps if "." not in gap.tensor), None)

    @property
    def output_gap(self) -> float | None:
        """The largest gap of the model's output; None if the run has none."""
        return None if self.output is None else self.output.max

    @property
    def in_rounding(self) -> float | None:
        """The largest gap of the output, in units of the largest among the controls; None if there is no evidence."""
        evidence = None if self.output is None else self.output.evidence
        return None if evidence is None else evidence.accumulated.max

    @property
    def in_own_units(self) -> float | None:
        """The largest gap of the output, in units of what the precision that it was judged by does to it."""
        evidence = None if self.output is None else self.output.evidence
        return None if evidence is None else self.judged(evidence).accumulated.max

    def judged(self, evidence: TensorEvidence) -> TensorEvidence | OwnEvidence:
        """Return the errors on which the verdict rests: in floors of a lower precision if it was judged by these."""
        own = evidence.own if self.verdict is not None and self.verdict.own else None
        return evidence if own is None else own

    def above_diagonal(self) -> float | None:
        """Return the largest probability above the causal diagonal; None if probabilities are not exposed."""
        found = [gap.above_diagonal for gap in self.gaps if gap.above_diagonal is not None]
        return max(found, key=lambda value: (isnan(value), value)) if found else None


def output_among(runtimes: Iterable[RuntimeResult]) -> str:
    """Return the name of the output that runtimes were compared on; "logits" if none has gaps."""
    return next((runtime.output.tensor for runtime in runtimes if runtime.output), "logits")
