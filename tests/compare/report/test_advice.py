"""The report: written and read again unchanged, worded honestly, the same in every format."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from compare.numerics.verdicts import Kind
from compare.report import formatting as numbers
from compare.report.advice import advice, answer, choices, front
from compare.report.gap_parts import VERDICTS, DecisionsPart, RuntimePart, VerdictPart
from compare.report.latency_parts import LatencyPart, ObserverPart, RatioPart, SelfGapsPart
from compare.report.render.markdown import to_markdown
from compare.report.render.terminal import print_report
from compare.report.schema import SCHEMA, Report
from compare.report.sections import explanation as tables
from compare.report.sections import gaps as wording
from compare.report.sections import interference as latency_wording
from compare.report.sections import latency as latency_tables
from export.errors import BadInput


def shown(report: Report) -> str:
    console = Console(file=io.StringIO(), width=140)
    print_report(report, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def verdict(kind: str, **facts) -> VerdictPart:
    plain = {"tensor": None, "place": "", "statistic": None, "multiple": None, "precision": None, "note": ""}
    return VerdictPart(kind=kind, weak=False, **plain | facts)


def test_round_trip(report: Report, tmp_path: Path) -> None:
    read = Report.read(report.folder)
    assert read == report
    assert read.folder == report.folder
    assert Report.read(report.folder / "report.json") == read
    plain = json.loads((report.folder / "report.json").read_text())
    assert plain["schema_version"] == SCHEMA
    assert plain["latency"][0]["turns"]["0"]


def test_a_nan_survives_the_round_trip(altered: Report, tmp_path: Path) -> None:
    altered.runtimes[0].gaps[-1].max = float("nan")
    altered.runtimes[0].verdict = verdict("broken", note="logits has NaN where golden has none")
    altered.write(tmp_path)
    read = Report.read(tmp_path)
    assert read.beyond(read.runtimes[0]) == "broken: logits has NaN where golden has none"
    assert read.exit_code() == 1
    json.loads((tmp_path / "report.json").read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no report at .*report.json; python -m compare writes one"),
        ("{", f"is no report of schema {SCHEMA}: file: Invalid JSON"),
        (f'{{"schema_version": {SCHEMA}}}', f"is no report of schema {SCHEMA}: created: Field required"),
    ],
)
def test_what_is_no_report(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    with pytest.raises(BadInput, match=message):
        Report.read(tmp_path)


def test_terminal_and_markdown_say_the_same(report: Report) -> None:
    terminal, markdown = " ".join(shown(report).split()), to_markdown(report, ("gap_by_layer.png",))
    for sentence in [wording.headline(report), wording.ruler_line(report), *answer(report)]:
        assert " ".join(sentence.split()) in terminal
        assert sentence in markdown
    for table in (
        tables.gap_table(report),
        latency_tables.latency_table(report),
        tables.layer_table(report, "attention"),
    ):
        assert table.title in terminal
        assert f"## {table.title}" in markdown
        for row in table.rows:
            assert all(cell in terminal and cell in markdown for cell in row)
    assert "![gap_by_layer.png](gap_by_layer.png)" in markdown
    assert markdown.count("tensor by tensor") == 5


def test_the_provenance_and_notes_are_in_every_text(altered: Report) -> None:
    altered.notes = ["no hub answers and distilgpt2 is compared with RANDOM WEIGHTS"]
    for text in (shown(altered), to_markdown(altered)):
        assert altered.model.provenance in text
        assert "NOTE:" in text
        assert "RANDOM WEIGHTS" in text


def test_the_answer_names_the_fastest(altered: Report) -> None:
    for row in altered.latency[1:]:
        row.ratio = RatioPart(estimate=1.1, low=0.9, high=1.2)
    altered.latency[-1].ratio = RatioPart(estimate=0.25, low=0.24, high=0.26)
    name = altered.latency[-1].runtime
    assert any(s.startswith(f"Deploy {name}: 4 times as fast as torch-eager") for s in answer(altered))


def test_no_winner_where_the_interval_holds_one(altered: Report) -> None:
    for row in altered.latency[1:]:
        row.ratio = RatioPart(estimate=0.97, low=0.92, high=1.02)
    assert latency_wording.reading(altered.latency[1]) == "the truth is 1"
    assert latency_wording.reading(altered.latency[2]) == "not told apart (+-5.2 %)"
    assert any(s.startswith("No runtime is told apart from torch-eager as faster") for s in answer(altered))


def test_the_rounds_say_why_there_were_no_more(altered: Report) -> None:
    altered.rounds, altered.precision, altered.time_s = 14, 0.02, 30
    for row in altered.latency[1:]:
        row.ratio = RatioPart(estimate=0.5, low=0.495, high=0.505)
    assert latency_wording.rounds_words(altered) == "14 rounds, every ratio within +-1 %"
    altered.latency[2].ratio = RatioPart(estimate=1.0, low=0.9, high=1.2)
    assert latency_wording.rounds_words(altered) == (
        "14 rounds, 30 s spent: the widest interval is +-15 %, asked for was +-2 %"
    )
    for row in altered.latency[1:]:
        row.ratio = None
    assert latency_wording.rounds_words(altered) == "14 rounds"


def test_samples_are_shown_with_what_is_odd_about_them(altered: Report) -> None:
    row = altered.latency[0]
    row.median_ms, row.p90_ms, row.p99_ms, row.spread, row.outliers, row.drift = 10.0, None, None, 0.3, 2, 0.07
    shown = next(cells for cells in latency_tables.sample_table(altered).rows if cells[0] == "torch-eager")
    assert shown[2:] == ["10", numbers.NOTHING, numbers.NOTHING, "30.0 % !!", "2", "+7 %"]
    assert int(shown[1]) == sum(len(turn) for turn in row.turns.values())


def test_without_the_baselines_time_nothing_is_called_a_ratio(altered: Report) -> None:
    altered.latency[0] = LatencyPart(runtime="torch-eager", again=False, error="killed")
    for row in altered.latency[1:]:
        row.ratio = None
    rows = latency_tables.latency_table(altered).rows
    assert [row[2] for row in rows if row[0] in ("torch-sdpa", "onnxruntime")] == [numbers.NOTHING] * 2
    assert not any(s.startswith("Deploy") for s in answer(altered))


@pytest.mark.parametrize(("ratio", "words"), [((0.5, 0.4, 0.6), "2 x as fast"), ((1.25, 1.2, 1.3), "1.25 x as long")])
def test_a_ratio_that_is_told_apart(ratio: tuple[float, float, float], words: str) -> None:
    estimate, low, high = ratio
    row = LatencyPart(runtime="x", again=False, ratio=RatioPart(estimate=estimate, low=low, high=high))
    assert latency_wording.reading(row) == words


def test_the_fastest_is_not_advised_where_it_is_beyond_the_limits(altered: Report) -> None:
    fast = altered.latency[-1]
    fast.ratio = RatioPart(estimate=0.1, low=0.1, high=0.1)
    row = next(runtime for runtime in altered.runtimes if runtime.name == fast.runtime)
    row.verdict = verdict("different", place="layer 1, attention", tensor="context.1", statistic="max", multiple=57.3)
    said = answer(altered)
    why = "different from layer 1, attention on: context.1 is 57 x rounding (max)"
    assert said[0] == f"{fast.runtime} is NOT to be trusted: {why}."
    assert not any(s.startswith(f"Deploy {fast.runtime}") for s in said)
    assert altered.exit_code() == 1


@pytest.mark.parametrize("kind", VERDICTS)
@pytest.mark.parametrize("fail_on", VERDICTS)
def test_a_run_fails_from_the_verdict_on_that_was_asked_for(altered: Report, kind: str, fail_on: str) -> None:
    altered.runtimes[0].verdict = verdict(kind)
    for other in altered.runtimes[1:]:
        other.verdict = None
    altered.decoding, altered.self_gaps = [], []
    altered.fail_on = fail_on
    assert altered.exit_code() == (VERDICTS.index(kind) >= VERDICTS.index(fail_on))


def test_the_report_knows_the_verdicts_that_there_are() -> None:
    assert [kind.words for kind in Kind] == list(VERDICTS)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"kind": "identical"}, "identical: bit for bit the baseline"),
        (
            {
                "kind": "reduced precision",
                "precision": "bf16",
                "tensor": "query.0",
                "multiple": 88000.0,
                "statistic": "rms",
            },
            "reduced precision (bf16): query.0 is 8.8e+04 x rounding (rms)",
        ),
        ({"kind": "broken", "note": "no logits"}, "broken: no logits"),
    ],
)
def test_verdicts_as_sentences(facts: dict, sentence: str) -> None:
    assert verdict(**facts).sentence == sentence


def test_the_advice_says_what_is_given_up_and_what_is_as_fast(altered: Report) -> None:
    rows = {row.runtime: row for row in altered.latency if not row.again}
    for row in altered.latency[1:]:
        row.ratio = RatioPart(estimate=1.0, low=0.95, high=1.05)
    rows["onnxruntime"].ratio = RatioPart(estimate=0.5, low=0.49, high=0.51)
    rows["torch-sdpa"].ratio = RatioPart(estimate=0.52, low=0.505, high=0.53)
    rows["onnxruntime"].peak_bytes, rows["torch-eager"].peak_bytes = 900_000_000, 600_000_000
    rows["onnxruntime"].load_s, rows["torch-eager"].load_s = 9.0, 1.0
    rows["onnxruntime"].first_call_s = rows["torch-eager"].first_call_s = 0.0
    for name, multiple in (("onnxruntime", 1.4), ("torch-eager", 0.9)):
        gap = next(r for r in altered.runtimes if r.name == name).gaps[-1]
        assert gap.tensor == "logits"
        gap.evidence.accumulated.max = multiple
    said = advice(altered)
    assert said[-3].startswith("Deploy onnxruntime: 2 times as fast as torch-eager (time ratio 0.500 [0.490, 0.510]")
    assert said[-2] == "Not told apart from it in time: torch-sdpa (0.520 [0.505, 0.530])."
    assert said[-1] == (
        "Against torch-eager that gives up: logits within 1.4 x rounding instead of 0.9 x; "
        "900 MB of memory at most instead of 600; 9 s until the first answer instead of 1 (one sample each)."
    )


def test_the_front_is_what_no_other_beats_in_time_and_gap(altered: Report) -> None:
    facts = {
        "torch-sdpa": (0.8, 3e-6),
        "torch-reference": (0.9, 4e-6),
        "onnxruntime": (0.5, 5e-6),
        "torch-eager": (1.0, 1e-6),
    }
    for row in altered.latency[1:]:
        time = facts[row.runtime][0]
        row.ratio = RatioPart(estimate=time, low=time, high=time)
    for runtime in altered.runtimes:
        if runtime.name in facts:
            next(gap for gap in runtime.gaps if gap.tensor == "logits").max = facts[runtime.name][1]
    found = choices(altered)
    assert {choice.name for choice in found} == set(facts)
    assert [choice.name for choice in front(found)] == ["onnxruntime", "torch-sdpa", "torch-eager"]


def test_the_again_row_is_never_advised(altered: Report) -> None:
    altered.latency[1].ratio = RatioPart(estimate=0.1, low=0.1, high=0.1)
    assert not any("Deploy torch-eager" in sentence for sentence in answer(altered))


def test_the_ladder_stands_beside_the_gaps_to_others(altered: Report) -> None:
    altered.self_gaps = [
        SelfGapsPart(runtime="torch-eager", gaps={"again": 0.0, "1 thread": 2e-6}),
        SelfGapsPart(runtime="onnxruntime", gaps={"again": 0.0, "torch-eager": 3e-6}, missing={"1 thread": "killed"}),
    ]
    table = tables.self_gap_table(altered)
    assert table.columns == ["runtime", "again", "1 thread", "to torch-eager", "golden", "as timed"]
    golden = [numbers.number(r.largest("logits")) for r in altered.runtimes if r.name in ("torch-eager", "onnxruntime")]
    assert table.rows == [
        ["torch-eager", "0", "2.0e-06", numbers.NOTHING, golden[0], numbers.NOTHING],
        ["onnxruntime", "0", numbers.NOTHING, "3.0e-06", golden[1], numbers.NOTHING],
    ]
    assert wording.not_run_again(altered) == ["onnxruntime was not run with 1 thread: killed."]
    altered.self_gaps = []
    assert tables.self_gap_table(altered) is None


def test_the_observer_effect_names_the_fusions_that_taps_undo(altered: Report) -> None:
    ratio = RatioPart(estimate=1.2, low=1.1, high=1.3)
    altered.observer = ObserverPart(
        runtime="onnxruntime", ratio=ratio, nodes=(9, 7), operators={"Gelu": (0, 1)}, gap=1e-6
    )
    assert latency_tables.observer_table(altered).rows == [["onnxruntime", "1.200 [1.100, 1.300]", "1.0e-06", "9 / 7"]]
    assert latency_wording.undone_fusions(altered) == [
        "onnxruntime with every tap exposed / to deploy runs Gelu 0 / 1; all other operators as often."
    ]
    assert latency_wording.undone_fusions(altered)[0] in to_markdown(altered)
    altered.observer.error = "killed"
    assert latency_tables.observer_table(altered) is None


def test_decisions_are_a_table_where_the_weights_mean_something(altered: Report) -> None:
    for runtime in altered.runtimes:
        runtime.decisions = None
    assert tables.decisions_table(altered) is None
    altered.runtimes[0].decisions = DecisionsPart(
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
    (row,) = tables.decisions_table(altered).rows
    logits = numbers.number(altered.runtimes[0].largest("logits"))
    assert row == [
        *("torch-eager", "18 of 20", "1", "99.00%", "1.0e-09", "2.0e-09", "3.0e-09"),
        logits,
        "4.0e-06",
        "-5.0e-07",
    ]


def test_errors_stand_beside_what_no_order_of_sums_can_exceed(report: Report) -> None:
    """The tiny model: 64 wide, four heads of 16, 20 tokens. Rounding stays far below the bound, and is not nothing."""
    columns = tables.other_metrics(report, "onnxruntime").columns
    place, bound = columns.index("local error, u"), columns.index("gamma_n, u")
    found = {row[0]: (row[place], row[bound]) for row in tables.other_metrics(report, "onnxruntime").rows}
    assert [found[name][1] for name in ("hidden_state.0", "query.1", "attention.1", "context.0", "hidden_state.2")] == [
        "2", "64", "20", "20", "256"
    ]  # fmt: skip
    for name, (error, limit) in found.items():
        assert float(error) < float(limit), name
    assert float(found["query.1"][0]) > 0.1


def test_padding_is_counted_where_there_is_some(altered: Report) -> None:
    assert "padding" not in wording.headline(altered)
    altered.input.padding = 7
    assert " · 1 x 20 bytes, 7 of them padding · " in wording.headline(altered)


def test_the_cpus_that_were_bound_are_in_the_headline(altered: Report) -> None:
    assert "pinned" not in wording.headline(altered)
    altered.environment.cpus = [3]
    assert " · 1 threads pinned to CPU 3 · " in wording.headline(altered)
    altered.environment.cpus = [0, 1]
    assert " pinned to CPUs 0, 1 · " in wording.headline(altered)


def test_shifts_are_told_where_there_were_several(altered: Report) -> None:
    assert latency_wording.in_shifts(altered) == []
    altered.shifts = 3
    told = "Latency was taken in 3 shifts, the baseline in each: memory did not hold all at once."
    assert told in shown(altered).replace("\n", " ")
    assert told in to_markdown(altered)


def test_memory_is_the_largest_and_what_it_settled_at(altered: Report) -> None:
    altered.latency[0].peak_bytes, altered.latency[0].settled_bytes = 1_234_000_000, 567_000_000
    table = latency_tables.latency_table(altered)
    assert table.columns[-2:] == ["peak MB", "settled MB"]
    assert table.rows[0][-2:] == ["1,234", "567"]


def test_a_runtime_that_failed_is_a_row_in_every_table(altered: Report) -> None:
    altered.runtimes.append(RuntimePart(name="broken", precision="float32", hybrid=False, named=False, error="killed"))
    altered.latency.append(LatencyPart(runtime="broken", again=False, error="killed"))
    assert tables.gap_table(altered).rows[-1][-1] == "failed: killed"
    assert any(row[0] == "broken" and row[3] == "failed: killed" for row in latency_tables.latency_table(altered).rows)
    assert "broken did not run: killed." in answer(altered)
    assert altered.exit_code() == 0  # nobody asked for it by name
    altered.runtimes[-1].named = True
    assert altered.exit_code() == 3


def test_hybrids_are_in_the_latency_table_without_a_time(report: Report) -> None:
    rows = {row[0]: row for row in latency_tables.latency_table(report).rows}
    assert rows["numpy-reference (hybrid)"][3] == "never timed"


def test_a_named_runtime_that_only_decodes_and_fails_did_not_run(altered: Report) -> None:
    row = next(row for row in altered.decoding if row.runtime == "optimum")
    row.error, row.turns, row.checks = "killed", {}, {}
    assert altered.exit_code() == 0
    row.named = True
    assert altered.exit_code() == 3


def test_lower_precision_counts_only_where_it_was_named(altered: Report) -> None:
    altered.runtimes[1].precision = "bfloat16"
    altered.runtimes[1].verdict = verdict("different")
    assert altered.exit_code() == 0
    altered.runtimes[1].named = True
    assert altered.exit_code() == 1


@pytest.mark.parametrize(("spread", "text"), [(0.014, "1.4 %"), (0.12, "12.0 % !"), (0.3, "30.0 % !!"), (None, "–")])
def test_spread_is_flagged(spread: float | None, text: str) -> None:
    assert numbers.spread(spread) == text


def test_tables_hold_as_many_cells_as_columns(altered: Report) -> None:
    altered.runtimes.append(RuntimePart(name="broken", precision="float32", hybrid=False, named=False, error="killed"))
    altered.latency.append(LatencyPart(runtime="broken", again=False, error="killed"))
    shown = [tables.gap_table(altered), latency_tables.latency_table(altered), *tables.further_tables(altered)]
    shown += [tables.layer_table(altered, kind) for kind in wording.KINDS]
    shown += [tables.tensor_table(altered, runtime) for runtime in altered.runtimes]
    for table in shown:
        assert {len(row) for row in table.rows} <= {len(table.columns)}
