"""Test that a damaged or hostile report is refused in one line, and that whatever is read can be shown and judged."""

import io
import json
import os
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from compare.diff import text as difference_text
from compare.diff.compare import diff
from compare.rejudge import rejudge
from compare.report import reading
from compare.report.render import full, markdown, notebook, pytest_benchmark, quiet, terminal
from compare.report.render.formats import Format, check_timed
from compare.report.render.page.page import to_html
from compare.report.render.plots.figures import draw_figures
from compare.report.schema import SCHEMA, Report
from compare.report.sections import explanation
from export.errors import BadInput, ComparisonError

SAVED = Path(__file__).with_name("schema_8.json")
CONTENT = SAVED.read_text()
GAP = json.loads(CONTENT)["runtimes"][1]["gaps"][0]


def changed(path: Path, place: str, value: Any) -> Path:
    """Write the report with another value at a place, such as "model.layers", into a file, and return that."""
    content = json.loads(CONTENT)
    *steps, last = [int(step) if step.isdigit() else step for step in place.split(".")]
    part = content
    for step in steps:
        part = part[step]
    part[last] = value
    path.write_text(json.dumps(content))
    return path


WRONG = [
    (
        "schema_version",
        SCHEMA + 1,
        f"has schema {SCHEMA + 1}, and this version of onnx-attention-compare reads 1 to {SCHEMA}",
    ),
    ("schema_version", 10**30, "has schema 1000000000000000000000000000000, and this version"),
    ("schema_version", "9", f"its schema_version is '9', and those of reports are 1 to {SCHEMA}"),
    ("schema_version", True, "its schema_version is True"),
    ("schema_version", -1, "its schema_version is -1"),
    ("schema_version", None, "it gives no schema_version"),
    ("schema_version", [[1]], "its schema_version is [[1]]"),
    ("runtimes", [], "runtimes: there are none"),
    ("runtimes", None, "runtimes: Input should be a valid list"),
    ("runtimes.1.name", "torch-eager", "runtimes: two rows of one name"),
    ("runtimes.0.gaps.0.tensor", "hidden_state.99", "'hidden_state.99' is no tensor of the model"),
    ("runtimes.0.gaps.0.tensor", "../../etc", "'../../etc' is no tensor of the model"),
    ("runtimes.1.gaps", [GAP], "runtimes.1.gaps: its tensors are not those of the rows above it"),
    ("decoding.0.checks", {"1": {"kind": "not judged"}}, "decoding.0.checks.1: it is not judged"),
    ("runtimes.0.gaps.0.max", "many", "runtimes.0.gaps.0.max: Input should be a valid number"),
    ("runtimes.1.verdict.tensor", "\x1b[31m", "is no tensor of the model"),
    ("latency.0.runtime", "another", "there is no runtime of this name"),
    ("latency.1.turns", {"0": []}, "a turn without a time, or with one that is not above 0"),
    ("latency.1.turns", {"0": [0]}, "a turn without a time, or with one that is not above 0"),
    ("latency.1.turns", {"0": [-5]}, "a turn without a time, or with one that is not above 0"),
    ("latency.1.ratio", {"estimate": 0, "low": 0, "high": 0}, "an interval from 0 to 0 around 0"),
    ("latency.1.ratio", {"estimate": "NaN", "low": 1, "high": 2}, "an interval from 1 to 2 around nan"),
    ("latency.1.median_ms", -1.0, "a median of -1 ms"),
    ("latency.1.median_ms", 5.0, "a median of no turn"),
    ("disturbance.attempts", 0, "disturbance: 0 turns"),
    (
        "runtimes.0.verdict.runs",
        [{"kind": "rounding"}, {"kind": "rounding"}],
        "0 further runs, and not as many verdicts",
    ),
    ("model.layers", 10**9, "model.layers: it is 1,000,000,000"),
    ("model.layers", -2, "model.layers: a negative number"),
    ("model.vocabulary", 2**70, "model.vocabulary: a number above 2**63"),
    ("input.batch", 0, "input.batch: it is 0"),
    ("input.tokens", ["x"] * 999, "999 tokens of a sequence of 32"),
    ("heads", [{"layer": 9, "head": 0, "name": "x"}], "layer 9 head 0 of 2 layers of 4 heads"),
    ("time_s", "Infinity", "time_s: it is not a number"),
    ("seed", -1, "seed: a negative number"),
    ("rounds", 1.5, "rounds: Input should be a valid integer"),
    ("more", 1, "more: Extra inputs are not permitted"),
]


@pytest.mark.parametrize(
    ("place", "value", "message"), WRONG, ids=[f"{place}-{i}" for i, (place, *_) in enumerate(WRONG)]
)
def test_a_report_that_cannot_be_one_is_refused(place: str, value: Any, message: str, tmp_path: Path) -> None:
    path = changed(tmp_path / "report.json", place, value)
    with pytest.raises(BadInput) as refused:
        Report.read(path)
    assert message in str(refused.value)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "it is not JSON: "),
        (CONTENT[:5000], "it is not JSON: "),
        ("[]", "it holds a JSON list, not an object"),
        ("null", "it holds a JSON NoneType, not an object"),
        ("{}", "it gives no schema_version"),
        ("[" * 100_000, "it is nested too deeply"),
        (b"\xff\xfe", "it is not UTF-8 text (byte 0)"),
        (b"\x00" * 100, "it is not JSON: "),
        ('{"schema_version": ' + "9" * 5000 + "}", "it is not JSON: "),
    ],
)
def test_what_is_no_report_is_refused(content: str | bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(BadInput) as refused:
        Report.read(tmp_path)
    assert str(refused.value).startswith(f"the report {path} cannot be read: ")
    assert message in str(refused.value)


def test_a_report_of_a_million_runtimes_is_refused(tmp_path: Path) -> None:
    changed(tmp_path / "report.json", "runtimes", [{"name": "x"}])
    content = (tmp_path / "report.json").read_text()
    (tmp_path / "report.json").write_text(content.replace('{"name": "x"}', ",".join(["{}"] * (reading.MOST_PARTS + 1))))
    with pytest.raises(BadInput, match=r"it has 4,000,\d\d\d objects and lists, and no report has as many"):
        Report.read(tmp_path)


@pytest.mark.parametrize("kind", ["pipe", "folder", "sparse", "loop"])
def test_only_a_regular_file_of_a_bounded_size_is_read(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    else:
        with path.open("wb") as file:
            file.truncate(10 * 2**30)
    with pytest.raises(BadInput) as refused:
        Report.read(tmp_path)
    assert str(refused.value).startswith(f"the report {path} cannot be read: ")


def used(report: Report) -> None:
    """Do with a report what commands do, except for figures."""
    older = Report.read(SAVED)
    assert repr(report)
    terminal.as_text(report)
    notebook.to_html(report)
    full.print_report(report, Console(file=io.StringIO(), width=120))
    with redirect_stdout(io.StringIO()):
        quiet.print_report(report)
    markdown.to_markdown(report)
    to_html(report)
    for runtime in report.runtimes:
        explanation.tables(report, runtime.name)
    for each in (
        lambda: (
            check_timed(Format.PYTEST_BENCHMARK, bool(report.latency)) or pytest_benchmark.to_pytest_benchmark(report)
        ),
        lambda: rejudge(report, 1e-3),
        lambda: list(difference_text.lines(diff(older, report))),
        lambda: list(difference_text.lines(diff(report, older))),
    ):
        try:
            each()
        except ComparisonError as error:
            assert str(error)
    assert report.exit_code() in (0, 1, 3)


def test_a_saved_report_is_used() -> None:
    used(Report.read(SAVED))


def places(part: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in JSON."""
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


PLACES = [place for place in places(json.loads(CONTENT)) if place]

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(
        [0, 1, -1, 2, 10**6, 2**62, 2**70, 0.0, -1.5, 1e-300, 1e300, float("nan"), float("inf"), "NaN", "Infinity"]
    ),
    st.sampled_from(
        ["", "logits", "attention.1", "hidden_state.7", "torch-eager", "broken", "identical", "\x1b[31m", "x" * 3000]
    ),
    st.sampled_from(
        ["\ud800", "</script>", "..", "rms", "not judged", [], {}, [0], [1, 2, 3, 4], {"0": [1]}, {"a": "b"}]
    ),
)


def changed_anywhere(data: st.DataObject) -> Any:
    """Return the report's JSON with a few changes: other values, also from elsewhere, and missing or repeated ones."""
    content = json.loads(CONTENT)
    for _ in range(data.draw(st.integers(1, 3))):
        *steps, last = data.draw(st.sampled_from(PLACES))
        part = content
        try:
            for step in steps:
                part = part[step]
            how = data.draw(st.sampled_from(["value", "value", "remove", "repeat", "move"]))
            if how == "remove":
                del part[last]
            elif how == "repeat" and isinstance(part, list):
                part.append(part[last])
            elif how == "move":
                source = content
                for step in data.draw(st.sampled_from(PLACES)):
                    source = source[step]
                part[last] = json.loads(json.dumps(source))
            else:
                part[last] = data.draw(VALUES)
        except (KeyError, IndexError, TypeError):  # an earlier change has removed this place
            continue
    return content


@settings(max_examples=120)
@given(data=st.data())
def test_a_changed_report_is_refused_or_can_be_used(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "changed-report.json"
    path.write_text(json.dumps(changed_anywhere(data)))
    try:
        report = Report.read(path)
    except BadInput as error:
        assert str(path) in str(error)
        return
    used(report)


@settings(max_examples=100)
@given(data=st.data())
def test_a_report_with_changed_bytes_is_refused_or_read(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(CONTENT.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "changed-bytes.json"
    path.write_bytes(content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))])
    try:
        Report.read(path)
    except BadInput as error:
        assert str(path) in str(error)


@pytest.mark.slow
@settings(max_examples=100)
@given(data=st.data())
def test_a_changed_report_can_be_drawn(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    from matplotlib import pyplot

    path = tmp_path_factory.getbasetemp() / "drawn-report.json"
    path.write_text(json.dumps(changed_anywhere(data)))
    try:
        draw_figures(Report.read(path))
    except BadInput as error:
        assert str(error)
    finally:
        pyplot.close("all")
