"""How a report is said in words; every renderer and the tables take them from here, so that all say the same."""

from collections.abc import Iterator

from compare.report.schema import GraphPart, LatencyPart, RatioPart, Report, RuntimePart, VerdictPart
from export.errors import BadInput, near

#: Kinds of tensors in the tables, in the order a layer makes them, with the words that head their columns.
KINDS = {"attention": "attention", "context": "context", "hidden_state": "hidden states", "logits": "logits"}

NOTHING = "–"


def headline(report: Report) -> str:
    """What was compared, on what."""
    quick = " (quick: fewer tokens and less time than the default)" if report.quick else ""
    padding = f", {report.input.padding} of them padding" if report.input.padding else ""
    return (
        f"{report.subject} · {report.input.batch} x {report.input.sequence} {report.token_word}{padding} · "
        f"{report.environment.threads} threads · {report.environment.processor}{quick}"
    )


def ruler_line(report: Report) -> str:
    if report.ruler is None:
        return "no model was named, so nothing says what rounding does: the two graphs are compared and not judged"
    return f"golden agrees with transformers eager in float64: {report.ruler.worst:.1g}"


def answer(report: Report) -> list[str]:
    """Is it still the same model, and which runtime is fastest: a sentence each, and one a runtime that failed."""
    measured = [runtime for runtime in report.runtimes if runtime.gaps]
    beyond = {runtime.name: why for runtime in measured if (why := report.beyond(runtime)) is not None}
    sentences = [f"{name} is NOT to be trusted: {why}." for name, why in beyond.items()]
    within = [runtime for runtime in measured if runtime.name not in beyond]
    if within and report.model is None:
        sentences += [f"{runtime.name} is {runtime.verdict.sentence}." for runtime in within if runtime.verdict]
    elif within:
        worst = max(within, key=lambda runtime: runtime.largest("logits") or 0.0)
        multiple = in_rounding(worst)
        shown = sum(runtime.above_diagonal() is not None for runtime in within)
        diagonal = (
            f"; nothing stands above the causal diagonal in the {shown} that expose probabilities" if shown else ""
        )
        sentences.append(
            f"{len(within)} of {len(measured)} runtimes compute the same model: the largest logit gap is "
            f"{number(worst.largest('logits'))} = {number(multiple)} x rounding ({worst.name}){diagonal}."
        )
    sentences += [f"{runtime.name} did not run: {runtime.error}." for runtime in report.runtimes if runtime.error]
    return [*sentences, *fastest(report, {runtime.name for runtime in within})]


def fastest(report: Report, trusted: set[str]) -> list[str]:
    """The fastest among the runtimes that may be trusted, and whether it can be told apart from the baseline."""
    rows = [row for row in report.latency if row.ratio and not row.again and row.runtime in trusted]
    if not rows:
        return []
    best = min(rows, key=lambda row: row.ratio.median if row.ratio else 1.0)
    assert best.ratio is not None
    baseline = report.latency[0].runtime
    if best.ratio.high >= 1:
        return [
            f"No runtime is told apart from {baseline} as faster; the closest, {best.runtime}, reads {ratio(best)}."
        ]
    return [
        f"Deploy {best.runtime}: {1 / best.ratio.median:.3g} times as fast as {baseline} "
        f"(time ratio {ratio(best)}, 95 % interval), {number(best.median_ms)} ms for this input here."
    ]


def in_rounding(runtime: RuntimePart) -> float | None:
    """The largest logit gap over what the controls' largest is."""
    evidence = next((gap.evidence for gap in runtime.gaps if gap.tensor == "logits"), None)
    return None if evidence is None else evidence.accumulated.max


def verdict_lines(report: Report) -> list[str]:
    """Each runtime's verdict as a sentence, and what all of them rest on."""
    if report.controls is None:
        return [f"{r.name}  {r.verdict.sentence}" for r in report.runtimes if r.verdict]
    lines = [
        f"rounding is what {report.controls.distinct} float32 runs of the model, each summing in its own order, do"
    ]
    return lines + [f"{r.name}  {verdict_line(r, r.verdict)}{decided(report, r)}" for r in report.runtimes if r.verdict]


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
    return [*undone_fusions(report), *graph_lines(report), *unexposed(report), *not_run_again(report)]


def not_run_again(report: Report) -> list[str]:
    """What could not be run otherwise, and why, a sentence each."""
    return [
        f"{row.runtime} was not run with {change}: {why}."
        for row in report.self_gaps
        for change, why in row.missing.items()
    ]


def undone_fusions(report: Report) -> list[str]:
    """Which operators an exposed tap made run more or less often: fusion stops at an output."""
    part = report.observer
    if part is None or not part.operators:
        return []
    changed = ", ".join(f"{name} {inspect} / {deploy}" for name, (inspect, deploy) in part.operators.items())
    return [f"{part.runtime} with every tap exposed / to deploy runs {changed}; all other operators as often."]


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


def reading(row: LatencyPart) -> str:
    """What a ratio says: a winner only where its interval leaves 1 out, and none in the A/A row."""
    if row.ratio is None:
        return NOTHING
    return "the truth is 1" if row.again else told(row.ratio)


def told(ratio: RatioPart) -> str:
    """A ratio of times in words, where its interval leaves 1 out.

    >>> told(RatioPart(median=0.5, low=0.48, high=0.53)), told(RatioPart(median=1.01, low=0.98, high=1.04))
    ('2 x as fast', 'not told apart (+-3 %)')
    """
    if ratio.low <= 1 <= ratio.high:
        half = 50 * (ratio.high - ratio.low)
        return f"not told apart (+-{half:.0f} %)" if half >= 1 else f"not told apart (+-{half:.1g} %)"
    if ratio.median > 1:
        return f"{ratio.median:.3g} x as long"
    return f"{1 / ratio.median:.3g} x as fast"


def ratio(row: LatencyPart) -> str:
    assert row.ratio is not None
    return interval(row.ratio)


def interval(ratio: RatioPart) -> str:
    """A ratio with its interval."""
    return f"{ratio.median:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"


def spread(row: LatencyPart) -> str:
    """The interquartile range over the median, flagged from 10 % and from 25 % on."""
    if row.spread is None:
        return NOTHING
    flag = " !!" if row.spread > 0.25 else " !" if row.spread > 0.10 else ""
    return f"{100 * row.spread:.1f} %{flag}"


def number(value: float | None) -> str:
    """A few significant digits; exact zero is said as such.

    >>> number(None), number(0.0), number(3.14159e-6), number(147.26), number(1574.3), number(float("nan"))
    ('–', '0', '3.1e-06', '147', '1,574', 'NaN')
    """
    if value is None:
        return NOTHING
    if value != value:
        return "NaN"
    if value == 0:
        return "0"
    if abs(value) < 0.01 or abs(value) >= 1e6:
        return f"{value:.1e}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
