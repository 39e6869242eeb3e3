"""From what was measured to the parts of the report's schema but latency, one function a part."""

import platform
from collections.abc import Container, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from math import inf
from typing import Any

from compare import machine
from compare.numerics.diagnostics.heads import Head
from compare.numerics.gaps import Gap
from compare.numerics.golden import RULER_LIMIT, Ruler
from compare.numerics.precisions import UNIT_ROUNDOFF
from compare.numerics.verdicts import Kind, TensorEvidence, Verdict, place_of
from compare.onnx_files.reading import OnnxFile
from compare.pipeline.inputs import Inputs
from compare.pipeline.settings import Settings
from compare.report.gap_parts import EvidencePart, GapPart, GraphPart, VerdictPart
from compare.report.parts import EnvironmentPart, HeadPart, InputPart, ModelPart, PaddedInputPart, RulerPart
from export.cache import Entry


def circumstances(settings: Settings) -> dict[str, Any]:
    """When and how the comparison ran: the report's plain fields."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": settings.quick,
        "seed": settings.seed,
        "time_s": settings.seconds,
        "precision": settings.precision,
        "fail_on": settings.fail_on,
    }


def model_part(entry: Entry, *, asked_for: str) -> ModelPart:
    """asked_for: the name that was given; of a folder only its last part, so that no path gets into a report."""
    manifest = entry.manifest
    source = manifest.source
    facts: dict[str, Any] = {**manifest.model}
    return ModelPart(
        name=source.name,
        asked_for=source.name if source.kind in ("folder", "module") else asked_for,
        provenance=source.label,
        trained=source.trained,
        entry=entry.folder.name,
        tokens_are=facts.pop("tokens"),
        exporter=manifest.exporter,
        opset=manifest.opset,
        graph_bytes=entry.bytes,
        **facts,
    )


def input_part(inputs: Inputs, padded: Inputs | None = None) -> InputPart:
    """padded: the second input of the numerics, if there was one."""
    batch, sequence = inputs.input_ids.shape
    return InputPart(
        batch=batch,
        sequence=sequence,
        padding=inputs.padding,
        tokens=inputs.tokens,
        sha256=inputs.sha256,
        padded=padded_part(padded) if padded else None,
    )


def padded_part(padded: Inputs) -> PaddedInputPart:
    longest, *_, shortest = sorted(padded.attention_mask.sum(axis=1).tolist(), reverse=True)
    return PaddedInputPart(sequences=len(padded.input_ids), longest=longest, shortest=shortest, sha256=padded.sha256)


def evidence_part(evidence: TensorEvidence) -> EvidencePart:
    return EvidencePart.model_validate(asdict(evidence))


def environment_part(threads: int, cpus: list[int] | None) -> EnvironmentPart:
    return EnvironmentPart(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        processor=machine.processor(),
        cores=machine.cores(),
        memory_bytes=machine.memory_bytes(),
        threads=threads,
        cpus=cpus,
        packages=machine.package_versions(),
        commit=machine.commit(),
    )


def ruler_part(ruler: Ruler) -> RulerPart:
    return RulerPart(worst=ruler.worst, tensor=ruler.tensor, limit=RULER_LIMIT)


def head_parts(heads: list[Head]) -> list[HeadPart]:
    return [HeadPart(layer=head.layer, head=head.head, name=head.name) for head in heads]


def verdict_part(verdict: Verdict) -> VerdictPart:
    """The verdict with its kind and place in words."""
    kept = ("place", "tensor", "statistic", "multiple", "precision", "note", "weak")
    return VerdictPart.model_validate({"kind": verdict.kind.words, **{name: getattr(verdict, name) for name in kept}})


def broken_part(note: str) -> VerdictPart:
    """The verdict on a run that gave nothing to weigh."""
    return verdict_part(Verdict(Kind.BROKEN, note=note))


def gap_part(name: str, gap: Gap | None = None, evidence: TensorEvidence | None = None) -> GapPart:
    """The gap of a tensor and what is known of it, or a part that says the run does not expose it."""
    if gap is None:
        return GapPart(tensor=name, exposed=False)
    return GapPart(**asdict(gap), evidence=evidence_part(evidence) if evidence else None)


def graph_part(file: OnnxFile, taps: Container[str]) -> GraphPart:
    """What there is to know of an ONNX file before it has run; taps: its tensors that are compared."""
    return GraphPart(
        file=file.name,
        bytes=file.bytes,
        sha256=file.sha256(),
        opset=file.opset,
        fed=[wanted.name for wanted in file.inputs],
        unmatched=[output for output in file.outputs if output not in taps],
        quantized=file.quantized,
        halves=file.halves,
    )


def pair_gap_part(gap: Gap, *, bitwise: bool) -> GapPart:
    """The gap of a tensor between two graphs."""
    return GapPart(**asdict(gap), bitwise=bitwise)


def not_judged(first: Gap, exposed: Iterable[str]) -> VerdictPart:
    """What is said of a graph that differs from another: the first tensor that does, and by how much."""
    relative = first.rms / first.size / UNIT_ROUNDOFF if first.size else inf
    return VerdictPart(
        kind="not judged",
        tensor=first.tensor,
        place=place_of(first.tensor, set(exposed)),
        statistic=None,
        multiple=None,
        precision=None,
        note=f"by {relative:.2g} unit roundoffs of its size",
        weak=False,
    )
