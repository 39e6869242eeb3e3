"""Test that the headline states the input, the machine and its limits."""

from compare.report import captions
from compare.report.schema import Report


def test_padding_is_counted_where_there_is_some(altered: Report) -> None:
    assert "padding" not in captions.headline(altered)
    altered.input.padding = 7
    assert " · 1 sequence of 20 bytes, 7 of them padding · " in captions.headline(altered)


def test_the_cpus_that_were_bound_are_in_the_headline(altered: Report) -> None:
    assert "pinned" not in captions.headline(altered)
    altered.environment.cpus = [3]
    assert " · 1 threads pinned to CPU 3 · " in captions.headline(altered)
    altered.environment.cpus = [0, 1]
    assert " pinned to CPUs 0, 1 · " in captions.headline(altered)
