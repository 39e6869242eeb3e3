"""The pytest plugin of onnx-attention-compare: the fixture `assert_attention_close`, and what a failure prints.

pytest imports this in every run of an environment that has the package installed, whichever project is tested, and that
project may have a `compare.py` of its own. So nothing but pytest is imported here; `compare.testing` is when the
fixture is used.

The entry point has the module's own name, so that `-p onnx_attention_compare_pytest` or a conftest's `pytest_plugins`
never registers it twice. pytest has no assert to rewrite here: PYTEST_DONT_REWRITE.
"""

import sys
from collections.abc import Callable, Generator
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import Any

import pytest

#: What the section of a failed test's report is headed.
SECTION = "attention gap"


@pytest.fixture(scope="session")
def assert_attention_close() -> Callable[..., None]:
    """`compare.testing.assert_attention_close`: raises where a context differs by more than rounding.

    A test that asks for it fails where `compare` or `export` is a module of the project that is tested.
    """
    for name in ("compare", "export"):
        found = _origin(name)
        if found is None or Path(found).parent.resolve() != Path(__file__).with_name(name).resolve():
            pytest.fail(
                f"assert_attention_close needs the package {name} of onnx-attention-compare, and import {name} finds "
                f"{found or 'no file'}: rename it, or run these tests alone: pytest --import-mode=importlib FILE",
                pytrace=False,
            )
    from compare import testing

    return testing.assert_attention_close


def _origin(name: str) -> str | None:
    """The file that `import NAME` gives, None where there is none."""
    if name in sys.modules:
        return getattr(sys.modules[name], "__file__", None)
    spec = find_spec(name)
    return spec.origin if spec else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Add to a failed test's report how the error of its attention lies, and what the summary will need of it."""
    report = yield
    if call.excinfo is None or report.outcome != "failed":
        return report
    found = call.excinfo.value
    # Where one was raised its class is imported already; another project's `compare.testing` has no such class.
    mismatch: Any = getattr(sys.modules.get("compare.testing"), "AttentionMismatch", ())
    if isinstance(found, mismatch):
        at = f"at {found.place}" if found.place else ""
        report.sections.append((SECTION, "\n".join(filter(None, (found.headline, at, *found.details)))))
        # On the report, because that is what comes from the processes of a distributed run. Plain types alone do.
        report.attention_gap = {"share": found.share, "said": ", ".join(filter(None, (found.counted, found.place)))}
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line that names the worst of all attentions that failed."""
    reports = [
        report
        for outcome in ("failed", "error")
        for report in terminalreporter.stats.get(outcome, [])
        if hasattr(report, "attention_gap")
    ]
    if reports:
        worst = max(reports, key=lambda report: _share(report))
        terminalreporter.section(f"{SECTION}: {len(reports)} failed")
        terminalreporter.line(f"the worst: {worst.attention_gap['said']} ({worst.nodeid})")


def _share(report: Any) -> float:
    """How many times its limit the error is; what could not be counted is worse than anything that could."""
    share = report.attention_gap["share"]
    return inf if share is None or share != share else float(share)
