"""The live display, on a pseudo-terminal: it shows the stage at once, and leaves nothing behind."""

import re
import signal
import subprocess
import sys

import pytest

from compare.cli.live import Live, command_progress
from export.display import Plain
from tests.helpers.hostile import commands_in
from tests.helpers.terminal import cursor_shown, drawn_by, screen

STAGES = """
from compare.cli.live import command_progress
with command_progress() as progress:
    progress.plan(["golden", "traces", "rounds"])
    progress.stage("golden", "the model in float64", of=2)
    progress.note("NOTE: the weights are random")
    progress.step("ruler")
    progress.stage("traces", "each runtime runs once", of=2)
"""


def test_stages_are_drawn_and_then_erased() -> None:
    drawn, code = drawn_by(STAGES)
    assert code == 0
    before, starting, _ = drawn.partition("starting")
    assert screen(before + starting) == ["starting"]  # nothing is drawn before it
    for text in ("golden: the model in float64", "then traces, rounds", "0 of 2", "traces: each runtime runs once"):
        assert text in drawn
    assert screen(drawn) == ["NOTE: the weights are random"]
    assert cursor_shown(drawn)


def test_the_screen_of_a_stage_is_what_was_drawn_last() -> None:
    drawn, _ = drawn_by(STAGES)
    before = drawn[: drawn.index("traces: each runtime runs once")]
    assert not cursor_shown(before)
    assert screen(before) == ["NOTE: the weights are random"]


def test_an_interruption_erases_the_display_and_restores_the_cursor() -> None:
    code = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job would ignore it
from compare.cli.live import command_progress
from export.command import finish
def work():
    with command_progress() as progress, progress.ticking():
        progress.stage("golden", "the model in float64")
        time.sleep(600)
finish(work)
"""

    sent: list[int] = []

    def interrupt(process: subprocess.Popen[bytes], drawn: str) -> None:
        if "golden" in drawn and not sent:
            process.send_signal(signal.SIGINT)
            sent.append(process.pid)

    drawn, ended = drawn_by(code, interrupt)
    assert ended == 130
    assert screen(drawn) == ["error: interrupted"]
    assert cursor_shown(drawn)


def test_a_library_draws_while_the_display_is_hidden() -> None:
    code = """
import sys
from compare.cli.live import command_progress
with command_progress() as progress:
    progress.stage("download", "asking the hub")
    with progress.hidden():
        progress.waits("hidden words")
        print("a bar of a library", file=sys.stderr)
    progress.stage("golden")
"""
    drawn, _ = drawn_by(code)
    assert "hidden words" not in drawn.partition("a bar of a library")[0]
    assert screen(drawn) == ["download: asking the hub", "a bar of a library"]
    assert cursor_shown(drawn)


def test_a_table_of_results_takes_the_place_of_the_last_steps() -> None:
    code = """
from rich.text import Text
from compare.cli.live import Live
def table(runtimes, latency, decoding, width, encoding):
    return [Text(f"{name}: {len(latency)} rows in {width} columns") for name in runtimes]
with Live(table) as progress:
    progress.step("a step")
    progress.results(runtimes=["onnxruntime"])
    progress.stage("rounds")
    progress.results(latency=[1, 2])
    progress.stage("reruns")
"""
    drawn, code_ = drawn_by(code)
    assert code_ == 0
    for stage, number in (("rounds", "0"), ("reruns", "2")):
        above = screen(drawn[: drawn.index(stage)])
        assert above == [f"onnxruntime: {number} rows in 80 columns"]
    assert screen(drawn) == []


def test_a_terminal_that_cannot_redraw_has_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(command_progress(), Live)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(command_progress(), Plain)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(command_progress(), Plain)


def test_the_table_of_the_screen_stays_from_stage_to_stage() -> None:
    code = """
from compare.cli.live import command_progress
from compare.results.runtimes import RuntimeResult
from compare.results.verdicts import Verdict
facts = dict(precision="float32", hybrid=False, named=False)
with command_progress() as progress:
    progress.results(runtimes=[
        RuntimeResult(name="torch-sdpa", verdict=Verdict(kind="identical"), **facts),
        RuntimeResult(name="my-runtime", error="killed by SIGSEGV", **facts),
    ])
    progress.stage("rounds", "timing 2 processes")
"""
    drawn, _ = drawn_by(code)
    lines = [line.split() for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn).splitlines()]
    assert ["torch-sdpa", "yes"] in lines
    assert "did not run: killed by SIGSEGV" in drawn
    assert drawn.index("my-runtime") < drawn.index("rounds: timing 2 processes")
    assert screen(drawn) == []


def test_what_is_drawn_cannot_command_the_terminal() -> None:
    code = """
from compare.cli.live import command_progress
from compare.results.runtimes import RuntimeResult
from export.command import finish
bad = "\\x1b]0;title\\x07\\x1b[2J\\r\\n\\u202e[red]\\udc80 \\u00b1"
def work():
    with command_progress(verbose=True) as progress:
        progress.stage(bad, bad, of=2)
        progress.step(bad)
        progress.waits(bad)
        progress.note(bad)
        progress.results(runtimes=[RuntimeResult(name=bad, error=bad, precision="float32", hybrid=False, named=False)])
        progress.stage("rounds")
finish(work)
"""
    for environment, sign in (({}, "±"), ({"PYTHONIOENCODING": "ascii"}, "+-")):
        drawn, ended = drawn_by(code, **environment)
        assert ended == 0
        text = re.sub(r"\x1b\[([\d;]*[AKm]|\?25[hl])|\r", "", drawn)
        assert not commands_in(text)
        assert f"\\x1b]0;title\\x07\\x1b[2J \\u202e[red]\\udc80 {sign}" in text
        assert sign == "±" or text.isascii()
