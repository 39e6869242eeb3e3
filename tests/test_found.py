"""docs/found.md: each fault that it describes is there with the versions that it names, and the tool says so."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "found.md"

#: The part of the page whose commands are run.
SHOWN = "## Shown by a test\n"

#: What may differ from machine to machine in a line: places in brackets, and numbers with a fraction or an exponent.
_NUMBER = re.compile(r"\[[\d, ]+\]|-?\d+\.\d+(?:e[-+]\d+)?|\d+e[-+]\d+|\d+(?= x )")


@dataclass(frozen=True)
class Finding:
    """A fault: its heading, and the contents of its blocks, by their language."""

    heading: str
    blocks: dict[str, str]


def findings() -> list[Finding]:
    """Return what is below each heading of the part that is run."""
    part = PAGE.read_text().partition(SHOWN)[2].partition("\n## ")[0]
    found = []
    for section in part.split("\n### ")[1:]:
        blocks = re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
        found.append(Finding(section.partition("\n")[0], dict(blocks)))
    return found


def as_pattern(line: str) -> str:
    """Return a pattern of a line in which numbers may differ."""
    words = " ".join(line.split())
    fixed = map(re.escape, _NUMBER.split(words))
    return r"(?:\[[\d, ]+\]|[-+\d.,e]+)".join(fixed)


def flags() -> set[str]:
    """Return the instructions of this processor, as Linux names them; empty elsewhere."""
    file = Path("/proc/cpuinfo")
    return (
        set(re.findall(r"\w+", file.read_text().partition("flags")[2].partition("\n")[0])) if file.is_file() else set()
    )


def missing(heading: str) -> str:
    """Return why this machine cannot show a fault; empty if it can."""
    if heading.startswith("OpenVINO") and not flags() & {"avx512_bf16", "amx_bf16", "avx_ne_convert"}:
        return "this processor has no instructions for bf16"
    if heading.startswith("transformers") and int(metadata.version("transformers").partition(".")[0]) >= 5:
        return "transformers 5 passes the scale to torch"
    return ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the page's blocks of Python make, run one after the other."""
    folder = tmp_path_factory.mktemp("found")
    code = "\n".join(finding.blocks.get("python", "") for finding in findings())
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("finding", findings(), ids=lambda finding: finding.heading.partition(":")[2].strip()[:40])
def test_the_command_says_what_the_page_says(finding: Finding, folder: Path) -> None:
    if why := missing(finding.heading):
        pytest.skip(why)
    environment = {**os.environ, "COLUMNS": "400"}
    command = shlex.split(finding.blocks["sh"])
    assert command[:3] == ["python", "-m", "compare"]
    run = subprocess.run([sys.executable, *command[1:]], cwd=folder, env=environment, capture_output=True, text=True)
    said = " ".join(run.stdout.split())
    for line in finding.blocks["text"].splitlines():
        assert re.search(as_pattern(line), said), f"{line}\n{run.stdout}{run.stderr}"


def test_what_the_page_names_exists() -> None:
    page = PAGE.read_text()
    assert all((PAGE.parents[1] / path).is_file() for path in re.findall(r"`(tests/[\w/.]+)`", page))
    assert all((PAGE.parent / path).is_file() for path in re.findall(r"\]\((\w+\.md)[#)]", page))
    modules = re.findall(r"^python -m (benchmarks\.\w+)", page, re.MULTILINE)
    assert modules
    assert all(find_spec(module) for module in modules)


@pytest.mark.parametrize(
    ("line", "said", "same"),
    [
        ("context.2 is 4e+06 x rounding, at [1, 2]", "context.2 is 57 x rounding, at [0, 12]", True),
        ("context.2 is 4e+06 x rounding, at [1, 2]", "context.3 is 4e+06 x rounding, at [1, 2]", False),
        ("differs from layer 1, attention on.", "differs from layer 0, attention on.", False),
        ("NaN in 24 of 24 rows", "NaN in 23 of 24 rows", False),
    ],
)
def test_only_numbers_may_differ(line: str, said: str, same: bool) -> None:
    assert bool(re.search(as_pattern(line), said)) == same
