"""Test that a report's tables, sentences and figure show its results of grid and interference."""

from pathlib import Path

import pytest

from compare import compare_attention_implementations, visualize_model_comparison
from compare.report import formatting
from compare.report.render.markdown import to_markdown
from compare.report.render.plots.latency_by_sequence import latency_by_sequence
from compare.report.schema import Report
from compare.report.sections import grid, interference
from compare.results.latency import InterferenceRow, Ratio
from tests.helpers.reports import shown


@pytest.fixture(scope="module")
def both(entry, tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A comparison of the tiny GPT-2 with both options."""
    return compare_attention_implementations(
        *(str(tiny_folder), "To be, or not to be, that is the question.", ["onnxruntime"]),
        time=0.3,
        min_rounds=3,
        threads=1,
        interference=True,
        grid="8,16x1,2",
        out=tmp_path_factory.mktemp("both"),
    )


ROWS = [("torch-eager", False), ("torch-eager", True), ("onnxruntime", False)]


def test_a_report_has_every_cell_and_its_own_rows_as_ever(both: Report) -> None:
    assert [cell.name for cell in both.grid] == ["8 x 1", "16 x 1", "8 x 2", "16 x 2"]
    for cell in both.grid:
        assert [(row.runtime, row.again) for row in cell.latency] == ROWS
        assert all(list(row.turns) == list(range(cell.rounds)) for row in cell.latency)
        assert all(row.ratio.low <= row.ratio.estimate <= row.ratio.high for row in cell.latency[1:])
    assert all(list(row.turns) == list(range(both.rounds)) for row in both.latency)
    assert all(row.error is None for row in both.latency)
    assert all(row.settled_bytes and row.peak_bytes for row in (*both.latency, *both.decoding) if row.error is None)
    assert both.latency[0].turns[0] not in [cell.latency[0].turns[0] for cell in both.grid]
    assert [row.runtime for row in both.self_gaps] == ["torch-eager", "onnxruntime"]
    assert {"rounds", "interference", "grid", "runs again"} <= both.phases.keys()
    assert Report.read(both.folder) == both


def test_a_report_has_each_time_with_the_other_processes_awake(both: Report) -> None:
    assert [(part.runtime, part.again) for part in both.interference] == ROWS
    for part in both.interference:
        assert list(part.alone.turns) == list(part.beside.turns)
        assert len(part.alone.turns) >= 3
        assert part.slowdown.low <= part.slowdown.estimate <= part.slowdown.high
        assert (part.ratio_beside is None) == (part is both.interference[0])


def test_its_tables_hold_the_same_numbers(both: Report) -> None:
    (awake,), (times, one, two) = interference.tables(both), grid.tables(both)
    assert [len(row) for row in awake.rows] == [len(awake.columns)] * 3
    assert awake.rows[2][3] == formatting.interval(both.interference[2].slowdown)
    assert awake.rows[2][5] == formatting.interval(both.interference[2].ratio_beside)
    assert times.columns == ["ms", "8 x 1", "16 x 1", "8 x 2", "16 x 2"]
    assert [row[0] for row in times.rows] == ["torch-eager", "torch-eager (A/A)", "onnxruntime", "rounds"]
    assert times.rows[2][1:] == [formatting.number(cell.latency[2].median_ms) for cell in both.grid]
    assert (one.columns[1:], two.columns[1:]) == (["8 x 1", "16 x 1"], ["8 x 2", "16 x 2"])
    assert two.rows[1][1:] == [formatting.interval(cell.latency[2].ratio) for cell in both.grid[2:]]
    terminal, markdown = shown(both), to_markdown(both)
    for table in (awake, times, one, two):
        assert table.title.split(":")[0] in " ".join(terminal.split())
        assert f"## {table.title}" in markdown
    (sentence,) = interference.sentences(both)
    assert sentence.startswith("With the other processes awake, ")
    assert sentence in markdown


def test_its_figure_holds_the_same_numbers(both: Report) -> None:
    assert "latency_by_sequence" in visualize_model_comparison(both)
    panels = latency_by_sequence(both).axes
    assert [(axes.get_xscale(), axes.get_yscale()) for axes in panels] == [("log", "log")] * 2
    lines = {line.get_label(): line for line in panels[1].get_lines()}
    assert list(lines) == ["torch-eager", "onnxruntime"]
    assert list(lines["onnxruntime"].get_xdata()) == [8, 16]
    assert list(lines["onnxruntime"].get_ydata()) == [cell.latency[2].median_ms for cell in both.grid[2:]]


def test_a_failure_in_a_cell_is_said(both: Report) -> None:
    altered = both.model_copy(deep=True)
    row = altered.grid[3].latency[2]
    row.error, row.median_ms, row.ratio = "ValueError: fixed shapes", None, None
    del altered.grid[0].latency[2]
    times, one, two = grid.tables(altered)
    assert (times.rows[2][4], two.rows[1][2], times.rows[2][1], one.rows[1][1]) == ("failed", "–", "–", "–")
    assert grid.sentences(altered) == ["onnxruntime failed at 16 x 2: ValueError: fixed shapes."]
    assert list(latency_by_sequence(altered).axes[1].get_lines()[1].get_xdata()) == [8]


def test_without_the_options_there_is_none_of_it(report: Report) -> None:
    assert (report.interference, report.grid) == ([], [])
    assert interference.tables(report) == interference.sentences(report) == []
    assert grid.tables(report) == grid.sentences(report) == []


def ratio(estimate: float) -> Ratio:
    return Ratio(estimate=estimate, low=estimate - 0.1, high=estimate + 0.1)


def part(runtime: str, slowdown: float, alone: float | None = None, beside: float | None = None, **more):
    ratios = {"ratio_alone": ratio(alone) if alone else None, "ratio_beside": ratio(beside) if beside else None}
    return InterferenceRow(runtime=runtime, again=False, slowdown=ratio(slowdown), **ratios, **more)


def test_the_sentence_is_of_the_runtime_that_is_changed_most(altered: Report) -> None:
    rows = [part("torch-eager", 1.3), part("a", 1.05, 0.5, 0.4), part("b", 2.0, 0.5, 0.8)]
    altered.interference = rows
    assert interference.sentences(altered) == [
        "With the other processes awake, b takes 2.000 [1.900, 2.100] times as long as alone: "
        "0.800 [0.700, 0.900] of torch-eager's time instead of 0.500 [0.400, 0.600]."
    ]
    altered.interference = [rows[0], rows[1]]
    assert interference.sentences(altered) == [
        "With the other processes awake, torch-eager takes 1.300 [1.200, 1.400] times as long as alone."
    ]
    altered.interference = [part("torch-eager", 1.0), rows[1]]
    assert interference.sentences(altered) == [
        "With the other processes awake, no runtime's time changes measurably (known to +-10 % at worst)."
    ]
    lost = InterferenceRow(runtime="a", again=False, error="killed by SIGKILL")
    altered.interference = [rows[0], lost]
    assert interference.sentences(altered)[1:] == ["a failed with the other processes awake: killed by SIGKILL."]
    assert interference.tables(altered)[0].rows[1] == ["a", "failed", *["–"] * 4]
