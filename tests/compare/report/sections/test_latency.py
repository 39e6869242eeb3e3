"""Tests of the tables of latency: ratios, samples, memory, and failures."""

from math import inf

from compare.report.formatting import NOTHING
from compare.report.schema import Report
from compare.report.sections import latency
from compare.results.latency import Ratio


def test_the_rounds_say_why_there_were_no_more(altered: Report) -> None:
    altered.rounds, altered.precision = 14, 0.02
    for row in altered.latency[1:]:
        row.ratio = Ratio(estimate=0.5, low=0.495, high=0.505)
    assert latency.rounds_words(altered) == "14 rounds, every ratio within +-1 %"
    altered.latency[2].ratio = Ratio(estimate=1.0, low=0.9, high=1.2)
    assert latency.rounds_words(altered) == "14 rounds until the time limit; widest interval +-15 %, asked for +-2 %"
    for row in altered.latency[1:]:
        row.ratio = None
    assert latency.rounds_words(altered) == "14 rounds"


def test_a_runtime_that_left_the_rounds_has_a_rough_ratio_and_the_number_of_its_rounds(altered: Report) -> None:
    altered.rounds, altered.precision = 14, 0.02
    for row in altered.latency[1:]:
        row.ratio = Ratio(estimate=0.5, low=0.495, high=0.505)
    slow = altered.latency[2]
    slow.too_slow, slow.turns, slow.ratio = True, {13: [7 * 10**9]}, Ratio(estimate=36.3, low=0.0, high=inf)
    assert latency.rounds_words(altered) == "14 rounds, every ratio within +-1 %"
    cells = latency.tables(altered)[0].rows[2]
    assert cells[2:4] == ["36 x, 1 round", "too slow for more rounds"]
    slow.ratio = Ratio(estimate=36.3, low=34.0, high=38.0)
    assert latency.tables(altered)[0].rows[2][2:4] == ["36.300 [34.000, 38.000]", "36.3 x as long"]


def test_samples_are_shown_with_what_is_odd_about_them(altered: Report) -> None:
    row = altered.latency[0]
    row.median_ms, row.p90_ms, row.p99_ms, row.spread, row.outliers, row.drift = 10.0, None, None, 0.3, 2, 0.07
    shown = next(cells for cells in latency.tables(altered)[1].rows if cells[0] == "torch-eager")
    assert shown[2:] == ["10", NOTHING, NOTHING, "30.0 % !!", "2", "+7 %"]
    assert int(shown[1]) == sum(len(turn) for turn in row.turns.values())


def test_without_a_turn_that_counts_there_is_no_table_of_samples(altered: Report) -> None:
    for row in altered.latency:
        row.disturbed, row.turns = row.turns, {}
    (table,) = latency.tables(altered)
    assert table.title.startswith("Latency of one forward pass")


def test_shifts_are_named_if_there_were_several(altered: Report) -> None:
    assert latency.sentences(altered) == []
    altered.shifts = 3
    assert latency.sentences(altered) == [
        "Latency was measured in 3 shifts, with the baseline in each, because memory could not hold all runtimes at "
        "once."
    ]


def test_memory_is_the_largest_and_what_it_settled_at(altered: Report) -> None:
    altered.latency[0].peak_bytes, altered.latency[0].settled_bytes = 1_234_000_000, 567_000_000
    table = latency.tables(altered)[0]
    assert table.columns[-2:] == ["peak MB", "settled MB"]
    assert table.rows[0][-2:] == ["1,234", "567"]


def test_memory_of_a_gpu_has_a_column_if_there_is_some(altered: Report) -> None:
    assert "GPU MB" not in latency.tables(altered)[0].columns
    altered.latency[0].device_bytes = 345_000_000
    table = latency.tables(altered)[0]
    assert (table.columns[-1], table.rows[0][-1], table.rows[1][-1]) == ("GPU MB", "345", NOTHING)
    assert "GPU MB: the most memory of the GPU" in table.notes


def test_hybrids_are_in_the_latency_table_without_a_time(report: Report) -> None:
    rows = {row[0]: row for row in latency.tables(report)[0].rows}
    assert rows["numpy-reference (hybrid)"][3] == "not timed"
