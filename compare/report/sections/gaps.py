"""How a report is said in words; every renderer and the tables take them from here, so that all say the same."""

from collections.abc import Iterator

from compare.report.formatting import NOTHING, number
from compare.report.gap_parts import GraphPart, RuntimePart, VerdictPart
from compare.report.measurability import disturbance_lines
from compare.report.schema import Report
from compare.report.sections.interference import (
    decode_lines,
    grid_failures,
    in_shifts,
    interference_lines,
    limit_lines,
    undone_fusions,
)
from compare.report.sections.padding import padded_input, padding_lines
from export.errors import BadInput, near

#: Kinds of tensors in the tables, in the order a layer makes them, with the words that head their columns.
KINDS = {"attention": "attention", "context": "context", "hidden_state": "hidden states", "logits": "logits"}


def headline(report: Report) -> str:
    """What was compared, on what."""
    quick = " (quick: fewer tokens and less time than the default)" if report.quick else ""
    padding = f", {report.input.padding} of them padding" if report.input.padding else ""
    return (
        f"{report.subject} · {report.input.batch} x {report.input.sequence} {report.token_word}{padding} · "
        f"{report.environment.threads} threads{pinned(report)} · {report.environment.processor}{quick}"
    )


def pinned(report: Report) -> str:
    """Which CPUs whatever was timed was bound to, to follow the threads; nothing where it was not."""
    cpus = report.environment.cpus
    return f" pinned to CPU{'s' if len(cpus) > 1 else ''} {', '.join(map(str, cpus))}" if cpus else ""


def ruler_line(report: Report) -> str:
    if report.ruler is None:
        return "no model was named, so nothing says what rounding does: the two graphs are compared and not judged"
    return f"golden agrees with transformers eager in float64: {report.ruler.worst:.1g}"


def in_rounding(runtime: RuntimePart) -> float | None:
    """The largest logit gap over what the controls' largest is."""
    evidence = next((gap.evidence for gap in runtime.gaps if gap.tensor == "logits"), None)
    return None if evidence is None else evidence.accumulated.max


def verdict_lines(report: Report) -> list[str]:
    """Each runtime's verdict as a sentence, and what all of them rest on."""
    if report.controls is None:
        return [f"{r.name}  {r.verdict.sentence}" for r in report.runtimes if r.verdict]
    lines = [
        f"rounding is what {report.controls.distinct} float32 runs of the model, each summing in its own order, do",
        *padded_input(report),
    ]
    for runtime in report.runtimes:
        if runtime.verdict:
            lines.append(f"{runtime.name}  {verdict_line(runtime, runtime.verdict)}{decided(report, runtime)}")
            lines += run_lines(runtime.name, runtime.verdict)
    return lines


def run_lines(name: str, verdict: VerdictPart) -> list[str]:
    """A line for each run of a runtime whose runs do not agree; gaps and figures are the first run's."""
    if verdict.kind != "unsteady":
        return []
    return [f"{name}, run {number}  {run.sentence}" for number, run in enumerate(verdict.runs, start=1)]


def verdict_word(verdict: VerdictPart | None) -> str:
    """A verdict in a cell, with a mark where it is more than rounding."""
    if verdict is None:
        return NOTHING
    return verdict.kind if verdict.kind in ("identical", "rounding") else f"{verdict.kind}!"


def verdict_line(runtime: RuntimePart, verdict: VerdictPart) -> str:
    """A verdict in a line; where all is rounding, what that does to the logits, which are looked at first."""
    multiple = in_rounding(runtime)
    if verdict.kind != "rounding" or multiple is None:
        return verdict.sentence
    return f"same model: largest logit gap {number(runtime.largest('logits'))} = {multiple:.2g} x rounding"


def decided(report: Report, runtime: RuntimePart) -> str:
    """What the gap does to the next tokens, to follow a verdict; nothing where the weights mean nothing."""
    part = runtime.decisions
    if part is None:
        return ""
    real = f", {part.real_flips} of them really" if part.flips else ""
    return f"; {part.flips} of {part.positions} next {report.token_word} differ{real}, KL at most {number(part.kl_max)}"


def runtime_of(report: Report, name: str) -> RuntimePart:
    """A runtime of the report. Raises `BadInput` where there is none of that name."""
    names = [runtime.name for runtime in report.runtimes]
    if name not in names:
        raise BadInput(f"the report has no runtime {name!r}; {near(name, names)}")
    return report.runtimes[names.index(name)]


def further_sentences(report: Report) -> list[str]:
    """What else is to be known of the tables, a sentence each."""
    return [
        *disturbance_lines(report),
        *in_shifts(report),
        *interference_lines(report),
        *grid_failures(report),
        *limit_lines(report),
        *decode_lines(report),
        *undone_fusions(report),
        *graph_lines(report),
        *unexposed(report),
        *padding_lines(report),
        *not_run_again(report),
    ]


def not_run_again(report: Report) -> list[str]:
    """What could not be run otherwise, and why, a sentence each."""
    return [
        f"{row.runtime} was not run with {change}: {why}."
        for row in report.self_gaps
        for change, why in row.missing.items()
    ]


def unexposed(report: Report) -> list[str]:
    """Which kinds of tensors could not be compared, a sentence a runtime."""
    sentences = []
    for runtime in report.runtimes:
        kinds = dict.fromkeys(gap.tensor.partition(".")[0] for gap in runtime.gaps)
        shown = {gap.tensor.partition(".")[0] for gap in runtime.gaps if gap.exposed}
        if hidden := [kind.replace("_", " ") for kind in kinds if kind not in shown]:
            sentences.append(f"{runtime.name} does not expose {', '.join(hidden)}: not compared there.")
    return sentences


def graph_lines(report: Report) -> list[str]:
    """What the ONNX files of a comparison are, what they were fed, and what in them was not compared."""
    return [line for runtime in report.runtimes if runtime.graph for line in _graph_lines(runtime.name, runtime.graph)]


def _graph_lines(name: str, graph: GraphPart) -> Iterator[str]:
    yield (
        f"{name} is {graph.file} ({graph.bytes:,} bytes with its weights, opset {graph.opset}, "
        f"SHA-256 {graph.sha256[:12]}), fed {', '.join(graph.fed)}."
    )
    if graph.unmatched:
        yield f"{name} also gives {', '.join(graph.unmatched)}: not compared, no tensor of the model goes by that name."
    if graph.found:
        kinds = dict.fromkeys(tensor.partition(".")[0].replace("_", " ") for tensor in graph.found)
        yield f"{name} does not name {', '.join(kinds)}: found by the structure of its graph, best effort."
    if graph.quantized:
        yield f"{name} computes with quantized numbers: {', '.join(graph.quantized)}."
    if graph.halves:
        yield f"{name} stores weights in {', '.join(graph.halves)}."
