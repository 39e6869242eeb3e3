"""The pytest plugin of onnx-attention-compare: the fixture `assert_attention_close`, and what a failure prints.

pytest imports this module in every run in an environment with this package, and the project that is tested may have a
`compare.py` of its own. So the module imports nothing but pytest and the standard library. `compare.testing` is
imported when the fixture is used.

The entry point has the module's own name, so that `-p onnx_attention_compare_pytest` or a conftest's `pytest_plugins`
does not register it twice. It has no asserts for pytest to rewrite: PYTEST_DONT_REWRITE.
"""

import sys
from collections.abc import Callable, Generator
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import Any

import pytest

#: The heading of the section in a failed test's report.
SECTION = "attention gap"


@pytest.fixture(scope="session")
def assert_attention_close() -> Callable[..., None]:
    """Return `compare.testing.assert_attention_close`, which raises if a context differs by more than rounding.

    A test that uses it fails if `compare` or `export` is a module of another project.
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
    """Return the file that `import NAME` finds; None if there is none."""
    if name in sys.modules:
        return getattr(sys.modules[name], "__file__", None)
    spec = find_spec(name)
    return spec.origin if spec else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Add a section about a wrong attention to a failed test's report, and the values that the summary needs."""
    report = yield
    if call.excinfo is None or report.outcome != "failed":
        return report
    found = call.excinfo.value
    # If one was raised, its class is imported already. Another project's `compare.testing` has no such class.
    mismatch: Any = getattr(sys.modules.get("compare.testing"), "AttentionMismatch", ())
    if isinstance(found, mismatch):
        at = f"at {found.place}" if found.place else ""
        report.sections.append((SECTION, "\n".join(filter(None, (found.headline, at, *found.details)))))
        # Kept on the report, which a distributed run sends between processes; only plain types can be sent.
        report.attention_gap = {"share": found.share, "said": ", ".join(filter(None, (found.counted, found.place)))}
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a line that names the worst wrong attention of the test run."""
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
    """Return the error over its limit. A broken attention, which has none, counts as infinitely wrong."""
    share = report.attention_gap["share"]
    return inf if share is None or share != share else float(share)
