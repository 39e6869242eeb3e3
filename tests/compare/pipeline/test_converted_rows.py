"""Comparisons with converted models and lower precisions: their own files, and the verdicts on everything they run."""

from pathlib import Path

import pytest

from compare.pipeline.compare_model import compare
from compare.rejudge import rejudge
from compare.report.schema import Report
from compare.report.screen import screen
from compare.report.sections import graphs
from tests.helpers.fakes import installed
from tests.helpers.settings import small

pytestmark = pytest.mark.slow

LOWER = {"torch-bf16": "bf16", "onnxruntime-int8": "int8", "onnxruntime-int4": "int4"}


@pytest.fixture(scope="module")
def mixed(tiny_folder: Path, site_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A comparison of four converted models, one of which cannot be converted, and one runtime in bf16."""
    with installed(site_folder):
        names = (*LOWER, "onnxruntime-fused", "foreign")
        out = tmp_path_factory.mktemp("mixed")
        return compare(str(tiny_folder), small(out, *names, decode=True, text="To be, or not to be, that is all"))


def test_a_lower_precision_is_judged_by_its_own_controls(mixed: Report) -> None:
    found = {runtime.name: runtime.verdict for runtime in mixed.runtimes}
    for name, precision in LOWER.items():
        verdict = found[name]
        assert (verdict.kind, verdict.precision, verdict.own) == ("reduced precision", precision, True), verdict
    assert found["onnxruntime-fused"].kind == "rounding"
    assert mixed.exit_code() == 3  # for the one that was named and could not be converted


def test_the_timed_graph_and_the_cache_are_judged_by_them_too(mixed: Report) -> None:
    timed = {row.runtime: row.verdict for row in mixed.self_gaps}
    decoded = {row.runtime: row.checks for row in mixed.decoding if not row.again}
    for name, precision in LOWER.items():
        for verdict in (timed[name], *decoded[name].values()):
            assert (verdict.kind, verdict.precision, verdict.weak) == ("reduced precision", precision, True)


def test_the_screen_gives_errors_in_units_of_the_precision(mixed: Report) -> None:
    shown = screen(mixed)
    cells = {row[0]: row[1:3] for row in shown.table.rows}
    for name, precision in LOWER.items():
        assert cells[name][0] == precision
        assert float(cells[name][1].removesuffix(" x")) < 4
    note = "bf16, int8, int4: reduced precision; the error is in units of what that precision alone does."
    assert note in shown.table.notes


def test_a_converted_graph_is_described_like_a_file_of_the_user(mixed: Report) -> None:
    rows = {runtime.name: runtime for runtime in mixed.runtimes}
    assert "MatMulInteger" in rows["onnxruntime-int8"].graph.quantized
    assert rows["onnxruntime-int4"].facts["quantized"] == "8 MatMulNBits"
    assert rows["onnxruntime-fused"].facts["fused"].endswith(("Gelu", "LayerNormalization"))
    assert all(rows[name].facts["conversion"].endswith(" s") for name in ("onnxruntime-int8", "onnxruntime-fused"))
    assert any(
        line.startswith("onnxruntime-int8 computes with quantized numbers: ") for line in graphs.sentences(mixed)
    )


def test_a_model_that_cannot_be_converted_is_a_row_with_the_reason(mixed: Report) -> None:
    foreign = next(runtime for runtime in mixed.runtimes if runtime.name == "foreign")
    assert foreign.error == "the model could not be converted: ValueError: no format for inspect, deploy"
    assert "foreign" not in {row.runtime for row in mixed.latency}


def test_a_saved_report_is_judged_again_by_the_same_controls(mixed: Report) -> None:
    same, tighter = ({row.name: row.verdict for row in rejudge(mixed, floors).runtimes} for floors in (2.0, 0.05))
    for name, precision in LOWER.items():
        assert same[name] == next(row.verdict for row in mixed.runtimes if row.name == name)
        assert (tighter[name].kind, tighter[name].precision) == ("different", precision)
