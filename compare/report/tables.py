"""The tables of a report as text, for every renderer: what was measured, in rows and columns."""

from collections.abc import Sequence

from compare.numerics.bounds import gamma
from compare.numerics.precisions import UNIT_ROUNDOFF
from compare.report.further_latency import grid_tables, interference_table
from compare.report.places import place_words
from compare.report.schema import GapPart, LatencyPart, RatioPart, Report, RuntimePart
from compare.report.table import Table
from compare.report.wording import (
    KINDS,
    NOTHING,
    cache_words,
    in_rounding,
    interval,
    number,
    percent,
    rate,
    ratio,
    reading,
    rounds_words,
    runtime_of,
    share,
    spread,
    worker_name,
)


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


def verdict(runtime: RuntimePart) -> str:
    """The verdict in a cell: a word, and where a difference begins."""
    if runtime.verdict is None:
        return NOTHING
    if runtime.verdict.kind == "different":
        return f"different: {runtime.verdict.place}"
    if runtime.verdict.kind == "reduced precision":
        return f"reduced precision: {runtime.verdict.precision}"
    return runtime.verdict.kind


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
        rows.append([gap.tensor, *map(number, gap.ulps), *_beside_the_bound(gap), *said])
    columns = ["tensor", "ULPs, median", "99 %", "99.9 %", "local error, u", "gamma_n, u"]
    columns += ["row sums off 1", "total variation", "relative", "key flips"]
    title = f"{name}: metrics that are not judged. u: float32's unit roundoff; local error: of the tensor's size"
    return Table(title, columns, rows) if rows else None


def _beside_the_bound(gap: GapPart) -> list[str]:
    """A tensor's local error over its size, and Higham's bound on the longest sum that made it, in unit roundoffs."""
    if gap.evidence is None or gap.evidence.local is None:
        return [NOTHING] * 2
    return [number(gap.evidence.relative / UNIT_ROUNDOFF), number(gamma(gap.evidence.terms) / UNIT_ROUNDOFF)]


def further_tables(report: Report) -> list[Table]:
    """The tables that not every report has, in their order."""
    tables = [
        last_table(report),
        decode_table(report),
        sample_table(report),
        interference_table(report),
        *grid_tables(report),
        limits_table(report),
        decisions_table(report),
        self_gap_table(report),
        observer_table(report),
        exporters_table(report),
    ]
    return [table for table in tables if table is not None]


def decisions_table(report: Report) -> Table | None:
    """What gaps do to the next tokens, a row a runtime; None where the weights mean nothing."""
    rows = []
    for runtime in report.runtimes:
        part = runtime.decisions
        if part is None:
            continue
        same = f"{part.positions - part.flips} of {part.positions}"
        divergence = map(number, (part.kl_mean, part.kl_p99, part.kl_max))
        gap = [number(runtime.largest("logits")), number(part.centred)]
        rows.append(
            [runtime.name, same, str(part.real_flips), f"{part.top5:.2%}", *divergence, *gap, f"{part.perplexity:+.1e}"]
        )
    columns = ["runtime", "top 1 as golden", "real flips", "top 5", "KL, mean", "99 %", "max"]
    columns += ["logit gap", "centred", "perplexity"]
    return Table(f"Decisions: the next {report.token_word[:-1]} at each position", columns, rows) if rows else None


def exporters_table(report: Report) -> Table | None:
    """The graphs of two exporters against each other, in one row; None where one alone was compared."""
    part = report.exporters
    if part is None:
        return None
    kinds = [kind for kind in KINDS if kind in part.gaps]
    row = [f"{part.chosen} against {part.default}", *(number(part.gaps[kind]) for kind in kinds)]
    ours, theirs = part.graph_bytes
    row += [interval(part.ratio) if part.ratio else NOTHING, f"{ours / theirs:.3f}"]
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


def observer_table(report: Report) -> Table | None:
    """What exposing every tap changes, in one row; None where no graph ran."""
    part = report.observer
    if part is None or part.error is not None:
        return None
    nodes = NOTHING if part.nodes is None else f"{part.nodes[0]} / {part.nodes[1]}"
    row = [part.runtime, interval(part.ratio) if part.ratio else NOTHING, number(part.gap), nodes]
    columns = ["runtime", "time ratio [95 %]", "largest logit gap", "nodes run"]
    return Table("Observer effect: every tap exposed / to deploy", columns, [row])


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
        if row.error:
            rows.append([_worker(row), NOTHING, NOTHING, f"failed: {row.error}", *[NOTHING] * 5])
            continue
        rows.append(
            [
                _worker(row),
                number(row.median_ms),
                ratio(row) if row.ratio else "baseline" if row is report.latency[0] else NOTHING,
                reading(row),
                spread(row.spread),
                number(row.load_s),
                number(row.first_call_s),
                megabytes(row.peak_bytes),
                megabytes(row.settled_bytes),
            ]
        )
    rows += [[f"{r.name} (hybrid)", *[NOTHING] * 2, "never timed", *[NOTHING] * 5] for r in report.runtimes if r.hybrid]
    columns = ["runtime", "ms", "ratio [95 %]", "reading", "IQR", "load s", "first call s", "peak MB", "settled MB"]
    return Table(f"Latency of one forward pass in turns, all others suspended: {rounds_words(report)}", columns, rows)


def last_table(report: Report) -> Table | None:
    """Less work than every other row: the logits of the last position alone; None where no graph gives them."""
    part = report.last
    if part is None or part.error is not None:
        return None
    row = [part.runtime, number(part.median_ms), _interval(part.ratio), _interval(part.to_deploy), number(part.gap)]
    columns = ["runtime", "ms", "ratio [95 %]", "to all positions [95 %]", "largest logit gap"]
    return Table("Less work: the logits of the last position alone (deploy-last)", columns, [row])


def decode_table(report: Report) -> Table | None:
    """Decoding with a cache, a row a worker; None where nothing decoded."""
    if not report.decoding:
        return None
    rows = []
    for row in report.decoding:
        if row.error:
            rows.append([_worker(row), *[NOTHING] * 7, f"failed: {row.error}"])
            continue
        baseline = row is report.decoding[0]
        rows.append(
            [
                _worker(row),
                number(row.first_token_ms),
                "baseline" if baseline else _interval(row.first_token),
                number(row.median_ms),
                "baseline" if baseline else _interval(row.ratio),
                reading(row),
                number(row.tokens_per_s),
                spread(row.spread),
                cache_words(row),
            ]
        )
    columns = ["runtime", "TTFT ms", "ratio [95 %]", "TPOT ms", "ratio [95 %]", "reading", "tokens/s", "IQR", "cache"]
    tokens = len(report.decoding[0].tokens[0]) if report.decoding[0].tokens else 0
    title = f"Greedy generation of {tokens} tokens with a cache of keys and values, {report.decode_rounds} rounds"
    return Table(title, columns, rows)


def _interval(time: RatioPart | None) -> str:
    return NOTHING if time is None else interval(time)


def sample_table(report: Report) -> Table:
    """What the samples of each worker look like: how many, percentiles where they say something, and what is odd."""
    rows = []
    for row in report.latency:
        if row.turns and not row.error:
            samples = sum(map(len, row.turns.values()))
            values = [number(row.median_ms), number(row.p90_ms), number(row.p99_ms), spread(row.spread)]
            rows.append([_worker(row), f"{samples:,}", *values, str(row.outliers), percent(row.drift)])
    columns = ["runtime", "samples", "median ms", "90 %", "99 %", "IQR", "far out", "drift"]
    return Table("Samples of that latency; percentiles where there are enough of them", columns, rows)


def _worker(row: LatencyPart) -> str:
    return worker_name(row.runtime, again=row.again)


def megabytes(size: int | None) -> str:
    return NOTHING if size is None else f"{size / 1e6:,.0f}"


def limits_table(report: Report) -> Table | None:
    """How close the float32 runtimes came to what the machine can do, and what that is; None where nothing says.

    Paired by round, as ratios are. The baseline's second process is left out: it is there to be held against the first.
    """
    limits = report.limits
    if limits is None:
        return None
    rows = [
        [row.runtime, number(row.median_ms), rate(limits.work.prefill_flops / row.median_ms * 1e3), share(row.of_peak)]
        for row in report.latency
        if limits.work and row.median_ms and row.of_peak and not row.again
    ]
    for part, unit in ((limits.compute, "FLOP/s"), (limits.bandwidth, "B/s")):
        said = f"failed: {part.error}" if part.per_second is None else rate(part.per_second, unit)
        flag = NOTHING if part.spread is None else f"a limit, IQR {spread(part.spread)}"
        rows.append([part.name, number(part.median_ms), said, flag])
    columns = ["runtime", "ms", "reached", "of the matrix product [95 %]"]
    return Table("Beside what this machine can do, in the same rounds", columns, rows)


def _place(tensor: str, place: Sequence[int], report: Report) -> str:
    return place_words(tensor, place, report.input.tokens, alone=report.input.batch == 1)


def _is(gap: GapPart, kind: str) -> bool:
    return gap.tensor.partition(".")[0] == kind
