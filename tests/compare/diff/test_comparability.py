"""Which two reports can be compared, and which of their circumstances differ."""

from dataclasses import replace

import pytest

from compare.diff.comparability import circumstances
from compare.diff.compare import diff
from compare.report.schema import Report
from compare.results.runtimes import OnnxGraph
from export.errors import BadInput
from tests.helpers.differences import said


def other_model(report: Report) -> None:
    report.model.provenance = "folder tiny (sha256 0000000)"


def other_vocabulary(report: Report) -> None:
    report.model.vocabulary = 50257


def other_input(report: Report) -> None:
    report.input.sha256 = "f" * 64


def quick(report: Report) -> None:
    report.quick = True


def no_model(report: Report) -> None:
    report.model = None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            other_model,
            r"of different models: A of tiny \(folder tiny .*\), B of tiny \(folder tiny \(sha256 0000000\);",
        ),
        (
            other_vocabulary,
            r"different models: A of .*vocabulary 300\), B of .*vocabulary 50,257\); give both runs the",
        ),
        (other_input, r"inputs: A of 1 x 20 bytes \(SHA-256 \w{12}\), B of 1 x 20 bytes \(SHA-256 f{12}\); give both"),
        (quick, "extents: A of a whole run, B of a quick run; run both with --quick, or both without"),
        (no_model, "models: A of tiny .*, B of no model but two ONNX files"),
    ],
)
def test_reports_that_cannot_be_compared_are_refused(report: Report, altered: Report, change, message: str) -> None:
    change(altered)
    with pytest.raises(BadInput, match=message):
        diff(report, altered)


def test_two_files_need_the_same_baseline(altered: Report) -> None:
    altered.model = None
    graph = OnnxGraph(file="x", bytes=1, sha256="a" * 64, opset=18, fed=[], unmatched=[], quantized=[], halves=[])
    altered.runtimes[0].graph, altered.runtimes[-1].graph = graph, replace(graph)
    other = altered.model_copy(deep=True)
    other.runtimes[-1].graph.sha256 = "b" * 64  # the file that is compared with the baseline may change
    assert diff(altered, other).fail_on == "broken"
    other.runtimes[0].graph.sha256 = "b" * 64
    with pytest.raises(BadInput, match=r"baselines: A of x \(SHA-256 a{12}\), B of x \(SHA-256 b{12}\)"):
        diff(altered, other)


def test_changed_circumstances_are_reported(report: Report, altered: Report) -> None:
    altered.environment.threads, altered.environment.processor = 7, "abacus"
    altered.environment.packages = {**report.environment.packages, "onnxruntime": "99.1", "abacus": "1.0"}
    found = circumstances(report, altered)
    processor, version = report.environment.processor, report.environment.packages["onnxruntime"]
    assert found == [
        f"the processor differs: {processor} then, abacus now; that alone may change ratios",
        "the number of threads differs: 1 then, 7 now; that alone may change ratios",
        f"packages differ: onnxruntime {version} then, 99.1 now, abacus not installed then, 1.0 now",
    ]
    assert f"NOTE: {found[-1]}" in said(report, altered)


def test_another_device_and_other_options_are_reported(report: Report, altered: Report) -> None:
    altered.environment.device, altered.environment.gpus = "cuda", ["Abacus 9, 1 MiB, driver 1.0"]
    altered.runtimes[-1] = replace(altered.runtimes[-1], options={"b": "2", "a": "1"})
    assert circumstances(report, altered) == [
        "the device differs: cpu then, cuda; Abacus 9, 1 MiB, driver 1.0 now; that alone may change ratios",
        f"options of {altered.runtimes[-1].name} differ: none then, a=1, b=2 now",
    ]
