"""Tests of the section on predicted next tokens."""

from compare.report.formatting import number
from compare.report.schema import Report
from compare.report.sections import next_tokens
from compare.results.gaps import Decisions


def test_next_tokens_are_a_table_if_the_weights_mean_something(altered: Report) -> None:
    for runtime in altered.runtimes:
        runtime.decisions = None
    assert next_tokens.tables(altered) == []
    altered.runtimes[0].decisions = Decisions(
        positions=20,
        flips=2,
        real_flips=1,
        top5=0.99,
        kl_mean=1e-9,
        kl_p99=2e-9,
        kl_max=3e-9,
        centred=4e-6,
        perplexity=-5e-7,
    )
    (table,) = next_tokens.tables(altered)
    logits = number(altered.runtimes[0].largest("logits"))
    (row,) = table.rows
    assert row == [
        *("torch-eager", "18 of 20", "1", "99.00%", "1.0e-09", "2.0e-09", "3.0e-09"),
        logits,
        "4.0e-06",
        "-5.0e-07",
    ]
    assert next_tokens.changed_tokens(altered, altered.runtimes[0]) == (
        "; 2 of 20 next bytes differ, 1 of them by more than rounding, KL at most 3.0e-09"
    )
