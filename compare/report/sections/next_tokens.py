"""The differences of predicted next tokens from golden's, for trained weights only."""

from compare.report.formatting import Table, number
from compare.report.schema import Report
from compare.report.sections.section import Section
from compare.results.runtimes import RuntimeResult


def tables(report: Report) -> list[Table]:
    """Show one row for each runtime whose predictions were compared."""
    rows = []
    for runtime in report.runtimes:
        part = runtime.decisions
        if part is None:
            continue
        same = f"{part.positions - part.flips} of {part.positions}"
        divergence = map(number, (part.kl_mean, part.kl_p99, part.kl_max))
        gap = [number(runtime.output_gap), number(part.centred)]
        rows.append(
            [runtime.name, same, str(part.real_flips), f"{part.top5:.2%}", *divergence, *gap, f"{part.perplexity:+.1e}"]
        )
    if not rows:
        return []
    columns = ["runtime", "top 1 as golden", "beyond rounding", "top 5", "KL, mean", "99 %", "max"]
    columns += ["logit gap", "less mean", "perplexity"]
    word = report.token_word[:-1]
    notes = (
        f"golden: the model in float64. top 1 as golden: positions with golden's likeliest {word}. beyond rounding: "
        "positions with another one, where golden's margin is more than twice what rounding does. top 5: the share of "
        f"golden's five likeliest {word}s that are among the run's. KL: divergence from golden, in nats. less mean: "
        "the logit gap after each position's mean is subtracted, which a softmax ignores. perplexity: the run's less "
        "golden's."
    )
    return [Table(f"Predicted next {word} at each position", columns, rows, notes)]


def changed_tokens(report: Report, runtime: RuntimeResult) -> str:
    """Return how the next tokens differ, as the end of a sentence; empty if they were not compared."""
    part = runtime.decisions
    if part is None:
        return ""
    real = f", {part.real_flips} of them by more than rounding" if part.flips else ""
    return f"; {part.flips} of {part.positions} next {report.token_word} differ{real}, KL at most {number(part.kl_max)}"


SECTION = Section("next_tokens", tables)
