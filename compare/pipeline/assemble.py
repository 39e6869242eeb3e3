"""From what was measured to the parts of the report's schema, one function a part."""

import platform
from collections.abc import Container, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from math import inf
from typing import Any

import numpy as np

from compare import machine
from compare.latency.disturbance import visible
from compare.latency.statistics import Ratio, drift, outliers, paired_ratio, percentile, relative_spread, typical
from compare.latency.worker_process import Held, Timing
from compare.numerics.diagnostics.heads import Head
from compare.numerics.gaps import Gap
from compare.numerics.golden import RULER_LIMIT, Ruler
from compare.numerics.precisions import UNIT_ROUNDOFF
from compare.numerics.verdicts import Kind, TensorEvidence, Verdict, place_of
from compare.onnx_files.reading import OnnxFile
from compare.pipeline.context import BESIDE
from compare.pipeline.inputs import Inputs
from compare.pipeline.settings import Settings
from compare.report.gap_parts import EvidencePart, GapPart, GraphPart, VerdictPart
from compare.report.latency_parts import (
    DecodePart,
    DisturbancePart,
    ExportersPart,
    LastPart,
    LatencyPart,
    ObserverPart,
    RatioPart,
    TurnsPart,
)
from compare.report.parts import EnvironmentPart, HeadPart, InputPart, ModelPart, PaddedInputPart, RulerPart
from compare.runtimes.registry import GRAPH_RUNTIME
from export.cache import Entry

#: So many of the processes that disturbed turns are named in a report.
MOST_PROCESSES = 5


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


def exporters_part(
    chosen: Entry, default: Entry | None, between: dict[str, Gap], timings: list[Timing], seed: int
) -> ExportersPart | None:
    """The two exporters' row, or None where one exporter alone was compared."""
    if default is None or not between:
        return None
    largest: dict[str, float] = {}
    for name, gap in between.items():
        kind = name.partition(".")[0]
        largest[kind] = max(largest.get(kind, 0.0), gap.max)
    turns = {timing.runtime: timing.turns for timing in timings if timing.error is None and timing.graph == "deploy"}
    first, second = turns.get(GRAPH_RUNTIME), turns.get(BESIDE)
    return ExportersPart(
        runtime=GRAPH_RUNTIME,
        chosen=chosen.manifest.exporter,
        default=default.manifest.exporter,
        gaps=largest,
        ratio=ratio_part(paired_ratio(first, second, seed)) if first and second else None,
        graph_bytes=(chosen.bytes, default.bytes),
    )


def observer_part(
    timings: list[Timing], operators: dict[Held, dict[str, int]], gap: float | None, seed: int
) -> ObserverPart | None:
    """What the inspect graph takes beside the deploy graph, or None where no graph ran.

    operators: graph -> operator -> how often it ran. gap: largest difference of a logit.
    """
    inspect = next((timing for timing in timings if timing.graph == "inspect"), None)
    if inspect is None:
        return None
    deploy = next(timing for timing in timings if timing.runtime == inspect.runtime and timing.graph == "deploy")
    pairs = {
        name: (operators["inspect"].get(name, 0), operators["deploy"].get(name, 0))
        for name in sorted(_names(operators))
    }
    return ObserverPart(
        runtime=inspect.runtime,
        error=inspect.error or deploy.error,
        ratio=ratio_part(paired_ratio(inspect.turns, deploy.turns, seed)),
        nodes=(sum(operators["inspect"].values()), sum(operators["deploy"].values()))
        if all(operators.values())
        else None,
        operators={name: counts for name, counts in pairs.items() if counts[0] != counts[1]},
        gap=gap,
        **turns_of(inspect),
    )


def _names(operators: dict[Held, dict[str, int]]) -> set[str]:
    return {name for counts in operators.values() for name in counts} if all(operators.values()) else set()


def turns_of(timing: Timing) -> dict[str, Any]:
    """The fields of a `TurnsPart`."""
    loads = {number: [round(load.share, 4) for load in attempts] for number, attempts in timing.loads.items()}
    return {"turns": timing.turns, "disturbed": timing.disturbed, "loads": loads}


def turns_part(timing: Timing) -> TurnsPart:
    return TurnsPart(**turns_of(timing))


def disturbance_part(timings: Iterable[Timing], max_load: float) -> DisturbancePart | None:
    """What others did over all attempts at a turn, each weighed by how long it took; None where nothing was timed."""
    timings = list(timings)
    loads = [load for timing in timings for attempts in timing.loads.values() for load in attempts]
    seconds = sum(load.seconds for load in loads)
    if not seconds:
        return None
    processes: dict[str, float] = {}
    for load in loads:
        for name, part in load.names.items():
            processes[name] = processes.get(name, 0.0) + part * load.seconds / seconds
    largest = sorted(processes.items(), key=lambda item: -item[1])[:MOST_PROCESSES]
    return DisturbancePart(
        max_load=max_load,
        attempts=len(loads),
        disturbed=sum(len(attempts) for timing in timings for attempts in timing.disturbed.values()),
        others=sum(load.others * load.seconds for load in loads) / seconds,
        stolen=sum(load.stolen * load.seconds for load in loads) / seconds,
        processes=dict(largest),
        sees=visible(),
    )


def ratio_part(ratio: Ratio | None) -> RatioPart | None:
    return RatioPart(estimate=ratio.estimate, low=ratio.low, high=ratio.high) if ratio else None


def latency_parts(timings: list[Timing], seed: int) -> list[LatencyPart]:
    """A row for each worker, the baseline's first; the graph that exposes every tap has a row elsewhere."""
    return [latency_part(timing, timings[0], seed) for timing in timings if timing.graph == "deploy"]


def latency_part(timing: Timing, baseline: Timing, seed: int) -> LatencyPart:
    """A worker's samples and what they say, its start and its memory; where it failed, why."""
    part = samples_part(timing, baseline, seed)
    _fill_in_process(part, timing)
    return part


def samples_part(timing: Timing, baseline: Timing, seed: int) -> LatencyPart:
    """Samples, and what they say; where there are none because it failed, why."""
    part = LatencyPart(runtime=timing.runtime, again=timing.again, error=timing.error, **turns_of(timing))
    _fill_in_samples(part, timing, baseline, seed)
    return part


def last_part(timing: Timing, deploy: Timing, baseline: Timing, gap: float | None, seed: int) -> LastPart:
    """The samples of the graph for the last position; gap: largest difference of a logit to the deploy graph there."""
    part = LastPart(runtime=timing.runtime, again=False, error=timing.error, gap=gap, **turns_of(timing))
    _fill_in_samples(part, timing, baseline, seed)
    _fill_in_process(part, timing)
    part.to_deploy = ratio_part(paired_ratio(timing.turns, deploy.turns, seed))
    return part


def decode_part(
    timing: Timing, baseline: Timing, checks: dict[str, VerdictPart], seed: int, *, named: bool
) -> DecodePart:
    """A decoder's samples, and what they say; where it failed, why."""
    part = DecodePart(
        runtime=timing.runtime,
        again=timing.again,
        named=named,
        error=timing.error,
        checks=checks,
        **turns_of(timing),
    )
    _fill_in_samples(part, timing, baseline, seed)
    _fill_in_process(part, timing)
    if part.median_ms is None:
        return part
    part.prefills, part.tokens = timing.prefills, timing.tokens
    part.first_token_ms = float(np.median([sample for (sample,) in timing.prefills.values()])) / 1e6
    if timing is not baseline:
        part.first_token = ratio_part(paired_ratio(timing.prefills, baseline.prefills, seed))
        part.parted = first_difference(timing.tokens, baseline.tokens) if baseline.tokens else None
    rates = [
        len(timing.tokens) * (1 + len(steps)) / (timing.prefills[number][0] + sum(steps)) * 1e9
        for number, steps in timing.turns.items()
    ]
    part.tokens_per_s = float(np.median(rates))
    return part


def first_difference(tokens: list[list[int]], others: list[list[int]]) -> int | None:
    """The first place where two generations part, over all their sequences; None where they do not.

    >>> first_difference([[5, 6, 7], [1, 2, 3]], [[5, 6, 7], [1, 9, 3]])
    1
    """
    pairs = zip(zip(*tokens, strict=True), zip(*others, strict=True), strict=True)
    return next((place for place, (mine, theirs) in enumerate(pairs) if mine != theirs), None)


def _fill_in_process(part: LatencyPart, timing: Timing) -> None:
    """How a process that was timed started, and its memory."""
    if timing.error is None and timing.turns:
        part.load_s, part.first_call_s = timing.load_s, timing.first_call_s
        part.peak_bytes, part.settled_bytes = timing.peak_bytes, timing.settled_bytes


def _fill_in_samples(part: LatencyPart, timing: Timing, baseline: Timing, seed: int) -> None:
    """What the samples of a part say."""
    if timing.error is not None or not timing.turns:
        return
    samples = [sample for turn in timing.turns.values() for sample in turn]
    part.median_ms = typical(timing.turns) / 1e6
    part.p90_ms, part.p99_ms = (_milliseconds(percentile(samples, share)) for share in (0.9, 0.99))
    part.spread, part.outliers, part.drift = relative_spread(samples), outliers(samples), drift(timing.turns)
    if timing is not baseline:
        part.ratio = ratio_part(paired_ratio(timing.turns, baseline.turns, seed))


def _milliseconds(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e6
