"""The tables of a report as text, for every renderer: what was measured, in rows and columns."""

from collections.abc import Mapping, Sequence

from compare.report.formatting import NOTHING, number
from compare.report.gap_parts import EvidencePart, GapPart, RuntimePart, VerdictPart
from compare.report.places import place_words
from compare.report.schema import Report
from compare.report.sections.gaps import KINDS, in_rounding, runtime_of, verdict_word
from compare.report.sections.grid import grid_tables, interference_table
from compare.report.sections.latency import (
    decode_table,
    exporters_table,
    last_table,
    latency_table,
    limits_table,
    observer_table,
    sample_table,
)
from compare.report.table import Table
from compare.results.precisions import UNIT_ROUNDOFF, gamma


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
    where = " where padded" if runtime.verdict.padded else ""
    if runtime.verdict.kind in ("unsteady", "different"):
        place = runtime.verdict.cause or runtime.verdict.place
        return ": ".join(filter(None, (f"{runtime.verdict.kind}{where}", place)))
    if runtime.verdict.kind == "reduced precision":
        return f"reduced precision: {runtime.verdict.precision}"
    return runtime.verdict.kind + (" where padded" if runtime.verdict.padded else "")


def explanation(report: Report, name: str) -> Table:
    """How a runtime's verdict was reached: every tensor in the order of execution, in units of rounding.

    Raises `BadInput` for a runtime that the report does not have.
    """
    runtime = runtime_of(report, name)
    verdict = runtime.padding.text if runtime.padding else runtime.verdict
    alone = report.input.batch == 1
    evidence = {gap.tensor: gap.evidence for gap in runtime.gaps}
    return _explained(name, evidence, verdict, f"no verdict: {runtime.error}", report.input.tokens, alone=alone)


def padded_explanation(report: Report, name: str) -> Table | None:
    """The same of the padded input; None where the runtime gave nothing there.

    Raises `BadInput` for a runtime that the report does not have.
    """
    padding = runtime_of(report, name).padding
    if padding is None or not padding.evidence:
        return None
    return _explained(name, padding.evidence, padding.verdict, "", report.input.tokens, alone=False)


def _explained(
    name: str,
    evidence: Mapping[str, EvidencePart | None],
    verdict: VerdictPart | None,
    without: str,
    tokens: Sequence[str],
    *,
    alone: bool,
) -> Table:
    """A table of evidence by tensor; without: what is said where there is no verdict. tokens: of the first sequence."""
    rows = []
    for tensor, known in evidence.items():
        if known is None:
            rows.append([tensor, *[NOTHING] * 6, "not exposed"])
            continue
        local = known.local
        found = (
            [NOTHING] * 4 if local is None else [number(x) for x in (local.rms, local.max, local.channel, local.slope)]
        )
        total = [number(known.accumulated.rms), number(known.accumulated.max)]
        first = verdict is not None and tensor == verdict.tensor
        where = place_words(tensor, known.place, tokens, alone=alone)
        rows.append([tensor + (" <-" if first else ""), *found, *total, where])
    said = verdict.sentence if verdict else without
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
        latency_table(report),
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


def self_gap_table(report: Report) -> Table | None:
    """How far each runtime lies from itself, beside how far it lies from the baseline and from golden.

    And what the verdict is over the logits of what was timed.
    None where nothing was run again.
    """
    changes = list(dict.fromkeys(change for row in report.self_gaps for change in (*row.gaps, *row.missing)))
    if not changes:
        return None
    golden = {runtime.name: runtime.largest("logits") for runtime in report.runtimes} if report.model else {}
    rows = [
        [row.runtime, *(number(row.gaps.get(change)) for change in changes)]
        + ([number(golden.get(row.runtime)), verdict_word(row.verdict)] if golden else [])
        for row in report.self_gaps
    ]
    columns = ["runtime", *(_to_baseline(change, report) for change in changes)]
    columns += ["golden", "as timed"] if golden else []
    title = "Each runtime's logits beside its own, run otherwise"
    return Table(title, columns, rows)


def _to_baseline(change: str, report: Report) -> str:
    return f"to {change}" if change == report.latency[0].runtime else change


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


def _place(tensor: str, place: Sequence[int], report: Report) -> str:
    return place_words(tensor, place, report.input.tokens, alone=report.input.batch == 1)


def _is(gap: GapPart, kind: str) -> bool:
    return gap.tensor.partition(".")[0] == kind
