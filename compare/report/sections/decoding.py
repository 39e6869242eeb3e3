"""Decoding with a cache of keys and values: times, and whether each cache is right."""

from compare.report.formatting import NOTHING, Table, number, spread, verdict_word, worker_name
from compare.report.schema import Report
from compare.report.sections.latency import ratio_of, reading
from compare.report.sections.section import Section
from compare.results.verdicts import reaches

_NOTES = (
    "TTFT: time to the first token, the prefill of the whole text. TPOT: time per further token. reading: of TPOT. "
    "tokens/s: of whole generations, prefill included. IQR: interquartile range of TPOT over its median; ! above 10 %, "
    "!! above 25 %. cache: the worst verdict on the logits that are computed with it; rounding, identical: right; "
    "! marks any other. (A/A): the baseline in a second process, whose ratios should be 1."
)


def tables(report: Report) -> list[Table]:
    """Show one row for each runtime that decodes."""
    if not report.decoding:
        return []
    rows = []
    for row in report.decoding:
        name = worker_name(row.runtime, again=row.again)
        if row.error:
            rows.append([name, *[NOTHING] * 7, f"failed: {row.error}"])
            continue
        baseline = row is report.decoding[0]
        rows.append(
            [
                name,
                number(row.first_token_ms),
                "baseline" if baseline else ratio_of(row, row.first_token),
                number(row.median_ms),
                "baseline" if baseline else ratio_of(row, row.ratio),
                reading(row),
                number(row.tokens_per_s),
                spread(row.spread),
                verdict_word(row.verdict),
            ]
        )
    columns = ["runtime", "TTFT ms", "ratio [95 %]", "TPOT ms", "ratio [95 %]", "reading", "tokens/s", "IQR", "cache"]
    tokens = len(report.decoding[0].tokens[0]) if report.decoding[0].tokens else 0
    counted = f" of {tokens} tokens" if tokens else ""  # none if every turn was disturbed
    title = f"Greedy generation{counted} with a cache of keys and values: {report.decode_rounds} rounds"
    return [Table(title, columns, rows, _NOTES)]


def sentences(report: Report) -> list[str]:
    """Say which caches are wrong. For trained weights, say how many generated tokens equal the baseline's."""
    lines = []
    for row in report.decoding:
        for prefill, verdict in row.checks.items():
            if reaches(verdict.kind, "different"):
                lines.append(f"{row.runtime} decodes wrongly after a prefill of {prefill}: {verdict.sentence}.")
    if report.model is None or not report.model.trained:
        return lines
    generated = [row for row in report.decoding if row.tokens and not row.again]
    if not generated or generated[0] is not report.decoding[0]:  # the baseline generated nothing
        return lines
    baseline, *others = generated
    return lines + [f"{row.runtime} and {baseline.runtime} generate {_alike(row.parted)}." for row in others]


def _alike(parted: int | None) -> str:
    """Say how many tokens two generations share. parted: the index of the first one that differs; None if none does."""
    if parted is None:
        return "the same tokens"
    return f"the same first {parted} tokens" if parted else "different tokens from the first one on"


SECTION = Section("decoding", tables, sentences)
