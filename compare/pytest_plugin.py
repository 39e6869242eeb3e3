"""The pytest plugin: a fixture for the check of an attention, and what is said where it fails.

pytest loads this in every run of everyone who has the package installed, so nothing heavier than pytest is imported
here. There is no assert in it that pytest would have to rewrite: PYTEST_DONT_REWRITE.

The entry point has the module's own name. So `-p compare.pytest_plugin` finds what the entry point has registered, and
the other way round, where two names for one module would end pytest with an error.
"""

from collections.abc import Callable, Generator
from math import inf
from typing import Any

import pytest

#: What the section of a failed test's report is headed.
SECTION = "attention gap"


@pytest.fixture(scope="session")
def assert_attention_close() -> Callable[..., None]:
    """`compare.testing.assert_attention_close`: raises where a context differs by more than rounding."""
    from compare import testing

    return testing.assert_attention_close


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Add to a failed test's report how the error of its attention lies, and what the summary will need of it."""
    report = yield
    if call.excinfo is None or report.outcome != "failed":
        return report
    from compare.testing import AttentionMismatch

    found = call.excinfo.value
    if isinstance(found, AttentionMismatch):
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
