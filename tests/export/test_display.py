"""Plain display: one line for each stage, and a line after a silence. The clock is the test's own."""

import io
import sys
import threading
from types import SimpleNamespace

import pytest

from export import display
from export.display import SILENCE, Plain, default_progress
from export.progress import SILENT
from tests.helpers.processes import comes_true


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def plain(clock: Clock, out: io.StringIO) -> Plain:
    return Plain(out, clock=clock)


def test_a_stage_is_one_line_without_control_characters(plain: Plain, out: io.StringIO) -> None:
    plain.plan(["traces", "rounds"])
    plain.stage("traces", "run 2\n\x1b[31mruntimes", of=2)
    plain.waits("torch-eager")
    plain.step("torch-eager")
    plain.results(runtimes=[1])
    plain.detail("a process starts")
    plain.stage("rounds")
    assert out.getvalue() == "traces: run 2 \\x1b[31mruntimes\nrounds\n"


def test_a_silence_ends_with_how_far_the_stage_is(plain: Plain, out: io.StringIO, clock: Clock) -> None:
    plain.stage("traces", "run 2 runtimes", of=2)
    clock.now += SILENCE - 1
    plain.step("torch-eager")
    assert not plain.due()
    clock.now += 1
    assert plain.due()
    plain.waits("onnxruntime runs")
    plain.waits("onnxruntime is compared")
    assert out.getvalue().splitlines()[1:] == ["traces: 1 of 2, onnxruntime runs, 10 s"]
    clock.now += SILENCE
    plain.stage("rounds")
    assert out.getvalue().splitlines()[2:] == ["rounds"]


def test_what_is_left_follows_the_plan(plain: Plain) -> None:
    plain.plan(["loading", "rounds", "reruns", "loading", "decoding"])
    for name, left in {
        "loading": "then rounds, reruns, loading, decoding",
        "reruns": "then loading, decoding",
        "second look": "then loading, decoding",
        "decoding": "",
    }.items():
        plain.stage(name)
        assert plain.left == left


def test_details_are_shown_where_they_are_asked_for(out: io.StringIO, clock: Clock) -> None:
    details = Plain(out, verbose=True, clock=clock)
    details.detail("a process starts")
    details.stage("traces")
    details.step("onnxruntime: rounding")
    assert out.getvalue().splitlines() == ["a process starts", "traces", "traces: onnxruntime: rounding"]


def test_nothing_is_printed_while_a_library_draws(plain: Plain, out: io.StringIO, clock: Clock) -> None:
    with plain.hidden():
        clock.now += SILENCE
        plain.waits("bytes")
        assert out.getvalue() == ""
    assert out.getvalue() == "starting: bytes, 10 s\n"


def test_a_thread_shows_the_time_and_ends_with_the_block(
    plain: Plain, out: io.StringIO, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "_TICK", 0.001)
    plain.stage("golden")
    with plain.ticking(), plain.ticking(lambda: "7 MB"):
        clock.now += SILENCE
        assert comes_true(lambda: out.getvalue() == "golden\ngolden: 7 MB, 10 s\n")
    assert not any(thread.name == "progress" for thread in threading.enumerate())


def test_a_script_is_silent_and_a_notebook_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert default_progress() is SILENT
    for kernel, silent in ((None, True), (object(), False)):
        shell = SimpleNamespace(kernel=kernel)
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda shell=shell: shell))
        assert (default_progress() is SILENT) is silent
    default_progress().stage("golden")
    assert capsys.readouterr() == ("golden\n", "")
