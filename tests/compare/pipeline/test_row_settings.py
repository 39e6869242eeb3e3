"""Test what device, execution providers and options make of the rows of a comparison."""

import re
from pathlib import Path

import pytest
import torch

from compare.pipeline.assemble_latency import decode_parts
from compare.pipeline.compare_model import compare
from compare.pipeline.context import BESIDE, Row
from compare.pipeline.decode_stage import Decoding
from compare.pipeline.row_settings import check_row_settings, configured, rows_of
from compare.pipeline.rows import row_names
from compare.pipeline.settings import RuntimeSettings, Settings
from compare.report.schema import Report
from compare.report.screen import screen
from compare.runtimes.registry import BASELINE, spec_of
from export.errors import BadInput, CannotRun
from tests.helpers.settings import small

NO_SPINNING = {"session.intra_op.allow_spinning": "0"}


def row(name: str) -> Row:
    """Return a row of a runtime, as before it is configured."""
    return Row(name, spec_of(name), Path("entry"), named=True)


def test_a_row_gets_its_own_options_and_the_device() -> None:
    settings = RuntimeSettings(device="cuda", options={"torch-sdpa": {"kernel": "math"}})
    assert configured(row("torch-sdpa"), settings).arguments == {"device": "cuda", "options": {"kernel": "math"}}
    assert configured(row("torch-eager"), settings).arguments == {"device": "cuda"}
    assert configured(row("torch-eager"), RuntimeSettings()).arguments == {}
    on_cpu = RuntimeSettings(device="cuda", options={"onnxruntime": {"provider": "CPUExecutionProvider"}})
    assert configured(row("onnxruntime"), on_cpu).device == "cpu"


@pytest.mark.parametrize("name", ["numpy-reference", "openvino", "ctranslate2", "onnx-reference", "optimum"])
def test_a_runtime_of_the_cpu_has_a_reason_on_another_device(name: str) -> None:
    found = configured(row(name), RuntimeSettings(device="cuda"))
    assert found.unusable == "it computes on the CPU alone, and the device is cuda"
    assert not found.ready


def test_a_decoding_row_that_cannot_run_says_why() -> None:
    rows = [configured(row("optimum"), RuntimeSettings(device="cuda"))]
    (part,) = decode_parts(rows, Decoding(), 0, None, ())
    assert (part.error, part.named) == ("it computes on the CPU alone, and the device is cuda", True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_device_that_is_not_here_is_refused_with_the_reason(tiny_folder: Path, tmp_path: Path) -> None:
    why = r"the device cuda cannot be used: torch \d.* (was built without CUDA|finds no GPU that it can use)"
    with pytest.raises(CannotRun, match=why):
        compare(str(tiny_folder), small(tmp_path / "out", BASELINE, device="cuda"))
    assert not (tmp_path / "out").exists()


def test_each_provider_has_a_row() -> None:
    settings = Settings.of(runtimes=["onnxruntime"], providers=["CPUExecutionProvider", "CPUExecutionProvider"])
    assert row_names(settings) == ["torch-eager", "onnxruntime", "onnxruntime-cpu"]
    rows = rows_of([spec_of("onnxruntime")], settings.runtimes, Path("entry"))
    assert [(each.name, each.options) for each in rows] == [
        ("onnxruntime", {}),
        ("onnxruntime-cpu", {"provider": "CPUExecutionProvider"}),
    ]


def test_a_plug_in_may_be_a_file(tmp_path: Path) -> None:
    library = tmp_path / "libonnxruntime_providers_made_up.so"
    library.touch()
    settings = Settings.of(providers=[str(library)], options={"onnxruntime-made_up": {"provider.x": "1"}})
    check_row_settings([], settings)
    (found,) = (configured(each, settings.runtimes) for each in rows_of([], settings.runtimes, Path("entry")))
    assert (found.name, found.options) == ("onnxruntime-made_up", {"plugin": str(library), "provider.x": "1"})


def test_two_plug_ins_cannot_have_one_row(tmp_path: Path) -> None:
    files = [tmp_path / folder / "libep.so" for folder in ("a", "b")]
    for file in files:
        file.parent.mkdir()
        file.touch()
    said = (
        f"providers {files[1]} would have the row onnxruntime-libep, which is another one's; rename the plug-in's file"
    )
    with pytest.raises(BadInput, match=re.escape(said)):
        check_row_settings([], Settings.of(providers=list(map(str, files))))


def test_the_default_exporters_graph_takes_options_only_if_it_has_a_row() -> None:
    settings = Settings.of(exporter="optimum", options={BESIDE: NO_SPINNING})
    check_row_settings([spec_of("onnxruntime")], settings)
    with pytest.raises(BadInput, match=f"options: the comparison has no row {BESIDE!r}"):
        check_row_settings([spec_of("torch-sdpa")], settings)


def test_a_row_of_a_file_takes_options() -> None:
    options = {"onnx-file": NO_SPINNING}
    check_row_settings([], Settings.of(onnx=Path("a"), options=options))
    with pytest.raises(BadInput, match="options: the comparison has no row 'onnx-file'"):
        check_row_settings([], Settings.of(options=options))


@pytest.fixture(scope="module")
def optional(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A comparison with an execution provider, and with options that one runtime refuses."""
    settings = small(
        tmp_path_factory.mktemp("optional"),
        "onnxruntime",
        "torch-sdpa",
        "onnxruntime-basic",
        providers=["CPUExecutionProvider"],
        options={
            "onnxruntime": NO_SPINNING,
            "torch-sdpa": {"kernel": "math"},
            "onnxruntime-basic": {"session.intra_op.alow_spinning": "0"},
        },
        latency=False,
    )
    return compare(str(tiny_folder), settings)


def test_options_reach_the_runtime_and_are_in_the_report(optional: Report) -> None:
    rows = {each.name: each for each in optional.runtimes}
    assert rows["onnxruntime"].options == NO_SPINNING
    assert rows["onnxruntime"].facts.items() >= NO_SPINNING.items()
    assert rows["torch-sdpa"].options == {"kernel": "math"}
    assert rows["onnxruntime-cpu"].options == {"provider": "CPUExecutionProvider"}
    assert rows["onnxruntime-cpu"].verdict.kind == "rounding"
    assert rows[BASELINE].options == {}
    note = "onnxruntime does not run as by default: session.intra_op.allow_spinning=0"
    assert note in optional.notes
    assert note in screen(optional).warnings


def test_an_option_that_only_the_library_knows_is_the_reason_of_the_row(optional: Report) -> None:
    error = next(each.error for each in optional.runtimes if each.name == "onnxruntime-basic")
    assert error.endswith("has no entry 'session.intra_op.alow_spinning' of a session's configuration")
    assert optional.exit_code() == 3
