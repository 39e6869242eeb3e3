"""How a report is said in words; every renderer and the tables take them from here, so that all say the same."""

from collections.abc import Iterator
from math import isfinite, log

from compare.report.schema import (
    VERDICTS,
    DecodePart,
    GraphPart,
    InterferencePart,
    LatencyPart,
    RatioPart,
    Report,
    RuntimePart,
    VerdictPart,
)
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
    return [
        *in_shifts(report),
        *interference_lines(report),
        *grid_failures(report),
        *limit_lines(report),
        *decode_lines(report),
        *undone_fusions(report),
        *graph_lines(report),
        *unexposed(report),
        *not_run_again(report),
    ]


def in_shifts(report: Report) -> list[str]:
    """That the runtimes were not timed all together, where they were not."""
    if report.shifts == 1:
        return []
    return [f"Latency was taken in {report.shifts} shifts, the baseline in each: memory did not hold all at once."]


def interference_lines(report: Report) -> list[str]:
    """What timing beside the others would have made of the runtime that it changes most, and which failed in it."""
    if not report.interference:
        return []
    baseline = report.interference[0].runtime
    parts = [part for part in report.interference if not part.again]
    failed = [
        f"{part.runtime} failed when it was timed beside the others: {part.error}." for part in parts if part.error
    ]
    changed = [part for part in parts if part.slowdown and not part.slowdown.low <= 1 <= part.slowdown.high]
    if not changed:
        return [
            f"Timed beside the others unsuspended, no runtime's time would have been told apart from that alone "
            f"({_closest(parts)}).",
            *failed,
        ]
    most = max(changed, key=_change)
    assert most.slowdown is not None
    said = f"would have read {interval(most.slowdown)} times as long as alone"
    if most.ratio_alone and most.ratio_beside:
        said += f": {interval(most.ratio_beside)} of {baseline}'s time instead of {interval(most.ratio_alone)}"
    return [f"Timed beside the others unsuspended, {most.runtime} {said}.", *failed]


def _change(part: InterferencePart) -> float:
    return abs(log(part.slowdown.median)) if part.slowdown else 0.0


def _closest(parts: list[InterferencePart]) -> str:
    known = [part.slowdown.half_width for part in parts if part.slowdown]
    return f"known to +-{100 * max(known):.2g} % at worst" if known else "there are no times"


def grid_failures(report: Report) -> list[str]:
    """Which runtimes could not take a shape of the grid, and why, a sentence each."""
    return [
        f"{worker_name(row.runtime, again=row.again)} failed at {cell.name}: {row.error}."
        for cell in report.grid
        for row in cell.latency
        if row.error
    ]


def worker_name(runtime: str, *, again: bool) -> str:
    """What a row of latency is called: its runtime, and whether it is the baseline's second process."""
    return f"{runtime} (A/A)" if again else runtime


def limit_lines(report: Report) -> list[str]:
    """How long the model's work takes at what the machine can do, a sentence each."""
    if report.limits is None:
        return []
    peak, reads, work = report.limits.compute.per_second, report.limits.bandwidth.per_second, report.limits.work
    if work is None:
        return [f"How much work the model is could not be counted: {report.limits.uncounted}."]
    lines = []
    if peak is not None:
        lines.append(
            f"At this machine's peak, {rate(peak)} in float32 matrix products, the {number(work.prefill_flops / 1e9)} "
            f"GFLOP of this input take {number(1e3 * work.prefill_flops / peak)} ms."
        )
    if reads is not None:
        lines.append(
            f"At {rate(reads, 'B/s')} from memory the {number(work.decode_bytes / 1e6)} MB of one token more after "
            f"{work.past:,} take {number(1e3 * work.decode_bytes / reads)} ms."
        )
    return lines


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


def cache_words(row: DecodePart) -> str:
    """Whether what a cache gives step by step is what the model gives, in a cell."""
    if row.verdict is None:
        return NOTHING
    return row.verdict.kind if row.verdict.kind in ("identical", "rounding") else f"{row.verdict.kind}!"


def decode_lines(report: Report) -> list[str]:
    """Which caches are wrong, and where the generations part, a sentence each."""
    lines = []
    for row in report.decoding:
        for prefill, verdict in row.checks.items():
            if VERDICTS.index(verdict.kind) >= VERDICTS.index(report.fails_from):
                lines.append(f"{row.runtime} decodes wrongly after a prefill of {prefill}: {verdict.sentence}.")
    if report.model is None or not report.model.trained:
        return lines
    baseline = next((row.runtime for row in report.decoding), "")
    for row in report.decoding[1:]:
        if row.tokens and not row.again:
            parts = "all are" if row.parted is None else f"the first {row.parted} are"
            lines.append(f"Of the tokens that {row.runtime} and {baseline} generate {parts} the same.")
    return lines


def told(ratio: RatioPart) -> str:
    """A ratio of times in words, where its interval leaves 1 out.

    >>> told(RatioPart(median=0.5, low=0.48, high=0.53)), told(RatioPart(median=1.01, low=0.98, high=1.04))
    ('2 x as fast', 'not told apart (+-3 %)')
    """
    if ratio.low <= 1 <= ratio.high:
        return f"not told apart ({give_or_take(ratio)})"
    if ratio.median > 1:
        return f"{ratio.median:.3g} x as long"
    return f"{1 / ratio.median:.3g} x as fast"


def give_or_take(ratio: RatioPart) -> str:
    """How closely a ratio is known, as half the width of its interval.

    >>> give_or_take(RatioPart(median=1.0, low=0.97, high=1.02)), give_or_take(RatioPart(median=0.5, low=0, high="inf"))
    ('+-2.5 %', 'one round alone')
    """
    return f"+-{100 * ratio.half_width:.2g} %" if isfinite(ratio.half_width) else "one round alone"


def rounds_words(report: Report) -> str:
    """How many rounds there were, and why no more: every ratio is known as closely as asked, or the time was spent."""
    ratios = [row.ratio for row in report.latency if row.ratio]
    rounds = f"{report.rounds} rounds"
    if not ratios:
        return rounds
    widest = max(ratios, key=lambda ratio: ratio.half_width)
    if widest.half_width <= report.precision:
        return f"{rounds}, every ratio within {give_or_take(widest)}"
    asked = f"asked for was +-{100 * report.precision:g} %"
    return f"{rounds}, {report.time_s:g} s spent: the widest interval is {give_or_take(widest)}, {asked}"


def ratio(row: LatencyPart) -> str:
    assert row.ratio is not None
    return interval(row.ratio)


def interval(ratio: RatioPart) -> str:
    """A ratio with its interval."""
    return f"{ratio.median:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"


def share(part: RatioPart | None) -> str:
    """A part of a whole with its interval, in per cent.

    >>> share(RatioPart(median=0.623, low=0.58, high=0.65))
    '62 % [58, 65]'
    """
    return NOTHING if part is None else f"{100 * part.median:.0f} % [{100 * part.low:.0f}, {100 * part.high:.0f}]"


def rate(per_second: float, unit: str = "FLOP/s") -> str:
    """FLOP/s or B/s in thousands of millions.

    >>> rate(187.3e9), rate(33e9, "B/s")
    ('187 GFLOP/s', '33 GB/s')
    """
    return f"{number(per_second / 1e9)} G{unit}"


def spread(value: float | None) -> str:
    """The interquartile range over the median, flagged from 10 % and from 25 % on."""
    if value is None:
        return NOTHING
    flag = " !!" if value > 0.25 else " !" if value > 0.10 else ""
    return f"{100 * value:.1f} %{flag}"


def percent(share: float | None) -> str:
    """A change in percent with its sign.

    >>> percent(0.0613), percent(None)
    ('+6.1 %', '–')
    """
    return NOTHING if share is None else f"{100 * share:+.2g} %"


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
