"""The tables of latency: passes, decoding, the last position, samples, limits, and graphs beside one another."""

from compare.report.formatting import NOTHING, interval, number, percent, rate, share, spread
from compare.report.latency_parts import LatencyPart, RatioPart
from compare.report.schema import Report
from compare.report.sections.gaps import KINDS, verdict_word
from compare.report.sections.interference import ratio, reading, rounds_words, worker_name
from compare.report.table import Table


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


def observer_table(report: Report) -> Table | None:
    """What exposing every tap changes, in one row; None where no graph ran."""
    part = report.observer
    if part is None or part.error is not None:
        return None
    nodes = NOTHING if part.nodes is None else f"{part.nodes[0]} / {part.nodes[1]}"
    row = [part.runtime, interval(part.ratio) if part.ratio else NOTHING, number(part.gap), nodes]
    columns = ["runtime", "time ratio [95 %]", "largest logit gap", "nodes run"]
    return Table("Observer effect: every tap exposed / to deploy", columns, [row])


def latency_table(report: Report) -> Table | None:
    """Latency, a row a worker; the ratio to the baseline is paired by round. None where nothing was timed."""
    if not report.latency:
        return None
    rows = []
    for row in report.latency:
        if row.error:
            rows.append([_worker(row), NOTHING, NOTHING, f"failed: {row.error}", *[NOTHING] * 4])
            continue
        rows.append(
            [
                _worker(row),
                number(row.median_ms),
                ratio(row) if row.ratio else "baseline" if row is report.latency[0] else NOTHING,
                reading(row),
                number(row.load_s),
                number(row.first_call_s),
                megabytes(row.peak_bytes),
                megabytes(row.settled_bytes),
            ]
        )
    rows += [[f"{r.name} (hybrid)", *[NOTHING] * 2, "never timed", *[NOTHING] * 4] for r in report.runtimes if r.hybrid]
    columns = ["runtime", "ms", "ratio [95 %]", "reading", "load s", "first call s", "peak MB", "settled MB"]
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
                verdict_word(row.verdict),
            ]
        )
    columns = ["runtime", "TTFT ms", "ratio [95 %]", "TPOT ms", "ratio [95 %]", "reading", "tokens/s", "IQR", "cache"]
    tokens = len(report.decoding[0].tokens[0]) if report.decoding[0].tokens else 0
    title = f"Greedy generation of {tokens} tokens with a cache of keys and values, {report.decode_rounds} rounds"
    return Table(title, columns, rows)


def _interval(time: RatioPart | None) -> str:
    return NOTHING if time is None else interval(time)


def sample_table(report: Report) -> Table | None:
    """What the samples of each worker look like: how many, percentiles where they say something, and what is odd.

    None where nothing was timed.
    """
    if not report.latency:
        return None
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
    rows += [
        [
            f"{row.runtime}, a step",
            number(row.median_ms),
            rate(limits.work.decode_bytes / row.median_ms * 1e3, "B/s"),
            share(row.of_peak),
        ]
        for row in report.decoding
        if limits.work and row.median_ms and row.of_peak and not row.again
    ]
    for part, unit in ((limits.compute, "FLOP/s"), (limits.bandwidth, "B/s")):
        said = f"failed: {part.error}" if part.per_second is None else rate(part.per_second, unit)
        flag = NOTHING if part.spread is None else f"a limit, IQR {spread(part.spread)}"
        rows.append([part.name, number(part.median_ms), said, flag])
    columns = ["runtime", "ms", "reached", "of that limit [95 %]"]
    title = "Beside what this machine can do: passes beside a matrix product, steps beside the memory"
    return Table(title, columns, rows)
