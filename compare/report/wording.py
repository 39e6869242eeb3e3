"""How a report is said in words and tables; every renderer takes them from here, so that all say the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from compare.numerics.precisions import UNIT_ROUNDOFF
from compare.report.places import place_words
from compare.report.schema import GapPart, GraphPart, LatencyPart, RatioPart, Report, RuntimePart, VerdictPart
from export.errors import BadInput, near

#: Kinds of tensors in the tables, in the order a layer makes them, with the words that head their columns.
KINDS = {"attention": "attention", "context": "context", "hidden_state": "hidden states", "logits": "logits"}

NOTHING = "–"


@dataclass(frozen=True)
class Table:
    """A table as text; the first column is left-aligned, the others right."""

    title: str
    columns: list[str]
    rows: list[list[str]]


def headline(report: Report) -> str:
    """What was compared, on what."""
    quick = " (quick: fewer tokens and less time than the default)" if report.quick else ""
    return (
        f"{report.subject} · {report.input.batch} x {report.input.sequence} {report.token_word} · "
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


def gap_table(report: Report) -> Table:
    """The largest gap of each kind of tensor, a row a runtime."""
    rows = []
    for runtime in report.runtimes:
        name = runtime.name + (" (hybrid)" if runtime.hybrid else "")
        if runtime.error:
            rows.append([name, *[NOTHING] * (len(KINDS) + 2), f"failed: {runtime.error}"])
            continue
        rows.append(
            [
                name,
                *[number(runtime.largest(kind)) for kind in KINDS],
                number(in_rounding(runtime)),
                number(runtime.above_diagonal()),
                verdict(runtime),
            ]
        )
    columns = ["runtime", *KINDS.values(), "x rounding", "above diagonal", "verdict"]
    return Table("Largest gap to golden (float64); logits in units of rounding too", columns, rows)


def pair_table(report: Report) -> Table:
    """An ONNX file's tensors against another's, in the order of execution, in unit roundoffs of their size."""
    row = report.runtimes[-1]
    rows = []
    for gap in row.gaps:
        place = NOTHING if gap.place is None else _place(gap.tensor, gap.place, report)
        relative = None if gap.rms is None or not gap.size else gap.rms / gap.size / UNIT_ROUNDOFF
        bitwise = {True: "yes", False: "no", None: "not exposed"}[gap.bitwise]
        rows.append([gap.tensor, bitwise, number(relative), number(gap.max), place])
    title = f"{report.subject}, tensor by tensor; u: the unit roundoff of float32, 2**-24"
    return Table(title, ["tensor", "bitwise", "RMS of the gap over the tensor's, in u", "largest gap", "at"], rows)


def in_rounding(runtime: RuntimePart) -> float | None:
    """The largest logit gap over what the controls' largest is."""
    evidence = next((gap.evidence for gap in runtime.gaps if gap.tensor == "logits"), None)
    return None if evidence is None else evidence.accumulated.max


def verdict(runtime: RuntimePart) -> str:
    """The verdict in a cell: a word, and where a difference begins."""
    if runtime.verdict is None:
        return NOTHING
    if runtime.verdict.kind == "different":
        return f"different: {runtime.verdict.place}"
    if runtime.verdict.kind == "reduced precision":
        return f"reduced precision: {runtime.verdict.precision}"
    return runtime.verdict.kind


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


def explanation(report: Report, name: str) -> Table:
    """How a runtime's verdict was reached: every tensor in the order of execution, in units of rounding.

    Raises `BadInput` for a runtime that the report does not have.
    """
    runtime = runtime_of(report, name)
    rows = []
    for gap in runtime.gaps:
        evidence = gap.evidence
        if evidence is None:
            rows.append([gap.tensor, *[NOTHING] * 6, "not exposed"])
            continue
        local = evidence.local
        found = (
            [NOTHING] * 4 if local is None else [number(x) for x in (local.rms, local.max, local.channel, local.slope)]
        )
        total = [number(evidence.accumulated.rms), number(evidence.accumulated.max)]
        first = runtime.verdict is not None and gap.tensor == runtime.verdict.tensor
        where = _place(gap.tensor, evidence.place, report)
        rows.append([gap.tensor + (" <-" if first else ""), *found, *total, where])
    said = runtime.verdict.sentence if runtime.verdict else f"no verdict: {runtime.error}"
    columns = [
        "tensor",
        "RMS",
        "max",
        "channel",
        "slope",
        "from golden: RMS",
        "max",
        "place of the largest local error",
    ]
    title = f"{name}: {said}. Errors in units of rounding, made in the segment itself; the verdict rests on <-"
    return Table(title, columns, rows)


def other_metrics(report: Report, name: str) -> Table | None:
    """What is not judged: units in the last place, and what the rows of an attention say; None where it was not kept.

    Raises `BadInput` for a runtime that the report does not have.
    """
    rows = []
    for gap in runtime_of(report, name).gaps:
        if not gap.ulps:
            continue
        softmax = gap.softmax
        said = [NOTHING] * 4
        if softmax:
            flips = f"{softmax.flips}, {softmax.real_flips} real" if softmax.flips else "0"
            said = [*map(number, (softmax.row_sums, softmax.variation, softmax.relative)), f"{flips} of {softmax.rows}"]
        rows.append([gap.tensor, *map(number, gap.ulps), *said])
    columns = ["tensor", "ULPs, median", "99 %", "99.9 %", "row sums off 1", "total variation", "relative", "key flips"]
    return Table(f"{name}: metrics that are not judged, from golden", columns, rows) if rows else None


def runtime_of(report: Report, name: str) -> RuntimePart:
    """A runtime of the report. Raises `BadInput` where there is none of that name."""
    names = [runtime.name for runtime in report.runtimes]
    if name not in names:
        raise BadInput(f"the report has no runtime {name!r}; {near(name, names)}")
    return report.runtimes[names.index(name)]


def further_sentences(report: Report) -> list[str]:
    """What else is to be known of the tables, a sentence each."""
    return [*undone_fusions(report), *graph_lines(report), *unexposed(report), *not_run_again(report)]


def further_tables(report: Report) -> list[Table]:
    """The tables that not every report has, in their order."""
    tables = [self_gap_table(report), observer_table(report), exporters_table(report)]
    return [table for table in tables if table is not None]


def exporters_table(report: Report) -> Table | None:
    """The graphs of two exporters against each other, in one row; None where one alone was compared."""
    part = report.exporters
    if part is None:
        return None
    kinds = [kind for kind in KINDS if kind in part.gaps]
    row = [f"{part.chosen} against {part.default}", *(number(part.gaps[kind]) for kind in kinds)]
    ours, theirs = part.graph_bytes
    row += [_interval(part.ratio) if part.ratio else NOTHING, f"{ours / theirs:.3f}"]
    columns = ["graphs", *(KINDS[kind] for kind in kinds), "time ratio [95 %]", "bytes ratio"]
    return Table(f"Two exporters' graphs in {part.runtime}: largest difference, time, bytes", columns, [row])


def self_gap_table(report: Report) -> Table | None:
    """How far each runtime lies from itself, beside how far it lies from the baseline and from golden.

    None where nothing was run again.
    """
    changes = list(dict.fromkeys(change for row in report.self_gaps for change in (*row.gaps, *row.missing)))
    if not changes:
        return None
    golden = {runtime.name: runtime.largest("logits") for runtime in report.runtimes} if report.model else {}
    rows = [
        [row.runtime, *(number(row.gaps.get(change)) for change in changes)]
        + ([number(golden.get(row.runtime))] if golden else [])
        for row in report.self_gaps
    ]
    columns = ["runtime", *(_to_baseline(change, report) for change in changes), *(["golden"] if golden else [])]
    title = "Each runtime's logits beside its own, run otherwise"
    return Table(title, columns, rows)


def _to_baseline(change: str, report: Report) -> str:
    return f"to {change}" if change == report.latency[0].runtime else change


def not_run_again(report: Report) -> list[str]:
    """What could not be run otherwise, and why, a sentence each."""
    return [
        f"{row.runtime} was not run with {change}: {why}."
        for row in report.self_gaps
        for change, why in row.missing.items()
    ]


def observer_table(report: Report) -> Table | None:
    """What exposing every tap changes, in one row; None where no graph ran."""
    part = report.observer
    if part is None or part.error is not None:
        return None
    nodes = NOTHING if part.nodes is None else f"{part.nodes[0]} / {part.nodes[1]}"
    row = [part.runtime, _interval(part.ratio) if part.ratio else NOTHING, number(part.gap), nodes]
    columns = ["runtime", "time ratio [95 %]", "largest logit gap", "nodes run"]
    return Table("Observer effect: every tap exposed / to deploy", columns, [row])


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


def layer_table(report: Report, kind: str) -> Table:
    """The largest gap of one kind of tensor layer by layer, a row a runtime."""
    names = list(dict.fromkeys(gap.tensor for r in report.runtimes for gap in r.gaps if _is(gap, kind)))
    rows = []
    for runtime in report.runtimes:
        by_name = {gap.tensor: gap for gap in runtime.gaps}
        if by_name:
            rows.append([runtime.name, *[number(by_name[name].max) for name in names]])
    layers = [name.partition(".")[2] or "all" for name in names]
    return Table(f"Largest gap of {KINDS[kind]} by layer", ["runtime", *layers], rows)


def tensor_table(report: Report, runtime: RuntimePart) -> Table:
    """Every tensor of the shown kinds: the gap's largest with its place, RMS and percentiles, and the tensor's RMS."""
    rows = []
    for gap in runtime.gaps:
        if any(_is(gap, kind) for kind in KINDS):
            place = NOTHING if gap.place is None else _place(gap.tensor, gap.place, report)
            values = [number(gap.max), place, *map(number, (gap.rms, gap.p50, gap.p99, gap.p999, gap.size))]
            rows.append([gap.tensor, *(values if gap.exposed else ["not exposed", *[NOTHING] * 6])])
    columns = ["tensor", "max", "at", "RMS", "median", "99 %", "99.9 %", "RMS of golden"]
    return Table(f"{runtime.name}, tensor by tensor", columns, rows)


def latency_table(report: Report) -> Table:
    """Latency, a row a worker; the ratio to the baseline is paired by round."""
    rows = []
    for row in report.latency:
        name = f"{row.runtime} (again: A/A)" if row.again else row.runtime
        if row.error:
            rows.append([name, NOTHING, NOTHING, f"failed: {row.error}", *[NOTHING] * 4])
            continue
        rows.append(
            [
                name,
                number(row.median_ms),
                ratio(row) if row.ratio else "baseline" if row is report.latency[0] else NOTHING,
                reading(row),
                spread(row),
                number(row.load_s),
                number(row.first_call_s),
                NOTHING if row.peak_bytes is None else f"{row.peak_bytes / 1e6:,.0f}",
            ]
        )
    rows += [[f"{r.name} (hybrid)", *[NOTHING] * 2, "never timed", *[NOTHING] * 4] for r in report.runtimes if r.hybrid]
    columns = ["runtime", "ms", "ratio [95 %]", "reading", "IQR", "load s", "first call s", "peak MB"]
    return Table(f"Latency of one forward pass, {report.rounds} rounds in turns, all others suspended", columns, rows)


def reading(row: LatencyPart) -> str:
    """What a ratio says: a winner only where its interval leaves 1 out, and none in the A/A row."""
    if row.ratio is None:
        return NOTHING
    if row.again:
        return "the truth is 1"
    if row.ratio.low <= 1 <= row.ratio.high:
        half = 50 * (row.ratio.high - row.ratio.low)
        return f"not told apart (+-{half:.0f} %)" if half >= 1 else f"not told apart (+-{half:.1g} %)"
    if row.ratio.median > 1:
        return f"{row.ratio.median:.3g} x as long"
    return f"{1 / row.ratio.median:.3g} x as fast"


def ratio(row: LatencyPart) -> str:
    assert row.ratio is not None
    return _interval(row.ratio)


def _interval(ratio: RatioPart) -> str:
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


def _place(tensor: str, place: Sequence[int], report: Report) -> str:
    return place_words(tensor, place, report.input.tokens, report.input.batch)


def _is(gap: GapPart, kind: str) -> bool:
    return gap.tensor.partition(".")[0] == kind
