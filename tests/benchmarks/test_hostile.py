"""Tests of the hostile inputs: the refusals that are decided at once, in children of one process, and the judge."""

import doctest
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from multiprocessing.context import ForkServerContext
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.hostile_cases import case as case_module
from benchmarks.hostile_cases import judge, registry
from benchmarks.hostile_cases import run as run_module
from benchmarks.hostile_cases import sandbox as sandbox_module
from benchmarks.hostile_cases.case import Case, mechanism
from benchmarks.hostile_cases.forked import context, run_forked
from benchmarks.hostile_cases.judge import faults
from benchmarks.hostile_cases.registry import every_case, spread
from benchmarks.hostile_cases.run import Outcome, run
from benchmarks.hostile_cases.sandbox import sandbox
from benchmarks.hostile_cases.stock import Stock

CASES = every_case()
FAST = [case for case in CASES if case.fast]

#: How many cases of each mechanism `make test` and `make test-all` run.
FEW, MANY = 1, 6


def by_mechanism(cases: list[Case]) -> list[object]:
    """Return the cases of each mechanism as one parameter of a test."""
    ordered = sorted(cases, key=lambda case: case.mechanism)
    return [pytest.param(list(group), id=name) for name, group in groupby(ordered, lambda case: case.mechanism)]


@pytest.fixture(scope="module")
def children() -> ForkServerContext:
    return context()


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    """The stock, which is made when the first case needs it."""
    return Stock(tmp_path_factory.mktemp("stock"))


def found(case: Case, folder: Path, stock: Stock, children: ForkServerContext) -> Iterator[str]:
    """Yield what is wrong with a case that runs in a child."""
    if case.needs:
        stock.make()
    with sandbox(case, folder, stock) as place:
        outcome = run_forked(case, place, children)
    yield from (f"{case.name}: {fault}" for fault in faults(case, outcome))


@pytest.mark.parametrize("cases", by_mechanism(spread([case for case in FAST if not case.needs], FEW)))
def test_refusals(cases: list[Case], tmp_path: Path, stock: Stock, children: ForkServerContext) -> None:
    wrong = [fault for n, case in enumerate(cases) for fault in found(case, tmp_path / str(n), stock, children)]
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("cases", by_mechanism(spread(FAST, MANY)))
def test_more_refusals(cases: list[Case], tmp_path: Path, stock: Stock, children: ForkServerContext) -> None:
    wrong = [fault for n, case in enumerate(cases) for fault in found(case, tmp_path / str(n), stock, children)]
    assert wrong == []


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 300
    assert len({case.mechanism for case in CASES}) >= 60
    assert [name for name, number in Counter(case.name for case in CASES).items() if number > 1] == []


@pytest.mark.parametrize("module", [case_module, judge, registry, run_module, sandbox_module])
def test_examples_of_docstrings_hold(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert (results.failed, results.attempted > 0) == (0, True)


REFUSED = mechanism("refused")("x", "compare", "--x")
RIGHT = {"code": 2, "stdout": b"", "stderr": b"a stage: 1 of 2\nerror: no such option\n"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"code": 3}, None),
        ({"code": 1}, "exit code 1, not 2 or 3: error: no such option"),
        ({"code": 0, "stderr": b""}, "exit code 0"),
        ({"code": -11}, "exit code -11"),
        ({"code": None, "stopped": "it took more than 60 s"}, "it took more than 60 s"),
        ({"stderr": b"Traceback (most recent call last):\nValueError\n"}, "a traceback: ValueError"),
        ({"stderr": b""}, "0 error lines, not 1"),
        ({"stderr": b"error: a\nerror: b\n"}, "2 error lines, not 1"),
        ({"stderr": b"error: \x1b]0;x\x07\n"}, "stderr has control characters: U+0007, U+001B"),
        ({"stdout": "\x9b\u202e".encode()}, "stdout has control characters: U+009B, U+202E"),
        ({"stdout": b"a\rb\tc\x7f"}, "stdout has control characters: U+0009, U+000D, U+007F"),
        ({"stderr": b"error: \xff\n"}, "stderr has bytes that are no text"),
        ({"outside": ["work/a is new"]}, "work/a is new"),
        ({"left": ["python x"]}, "a process is left: python x"),
        ({"wrong": "a was changed"}, "a was changed"),
    ],
)
def test_the_judge(changes: dict, words: str | None) -> None:
    said = list(faults(REFUSED, Outcome(**{**RIGHT, **changes})))
    assert said == [] if words is None else any(words in fault for fault in said)


def test_what_is_expected_as_unexpected_is_wrong() -> None:
    case = mechanism("refused")("x", "compare", codes=(70,))
    assert list(faults(case, Outcome(70, b"", b"error: x\n", 0))) == ["it ended as unexpected: error: x"]


def test_a_named_runtime_that_fails_is_in_the_report() -> None:
    assert list(faults(REFUSED, Outcome(3, b"onnx-file failed\n", b""))) == []


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("touch new; echo error: x >&2; exit 2", "work/new is new"),
        ("echo x >> mine; echo error: x >&2; exit 2", "work/mine was changed"),
        ("rm mine; touch ~/.new; echo error: x >&2; exit 2", "home/.new is new"),
        ("sleep 60", "it took more than 1 s"),
        ("setsid sleep 60 & echo error: x >&2; exit 2", "a process is left: sleep 60"),
        ("exec $PYTHON -c 'x = b\"x\" * 10**9; import time; time.sleep(9)'", "it took more than 0.2 GB of memory"),
    ],
)
def test_a_case_in_its_own_process(script: str, words: str, tmp_path: Path, stock: Stock) -> None:
    usual = {"seconds": 20.0, "gigabytes": 0.2} if "PYTHON" in script else {"seconds": 1.0}
    case = mechanism("test")("x", "bash", script, make=lambda work: (work / "mine").touch(), **usual)
    assert any(words in fault for fault in faults(case, run(case, tmp_path / "case", stock)))


def test_a_terminal_is_read(tmp_path: Path, stock: Stock) -> None:
    case = mechanism("test")("x", "bash", "[ -t 1 ] && printf '\\e[31mred\\e]0;title\\a\\n'", codes=(0,), terminal=True)
    outcome = run(case, tmp_path / "case", stock)
    assert outcome.stdout == b"\x1b[31mred\x1b]0;title\x07\r\n"
    assert list(faults(case, outcome)) == ["stdout has control characters: U+0007, U+001B"]
