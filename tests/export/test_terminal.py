"""Guards of stdout and stderr: what passes them, and what happens if a stream is closed, full, or has no reader."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from export.terminal import Guard
from tests.helpers.terminal import drawn_by

#: A command that prints text, JSON and a page, and then says on stderr that it has ended.
COMMAND = """
import sys
from export.command import finish
from export.printing import print_json, print_line
from export.terminal import print_page
def work():
    print_line("a first line")
    print(*range({count}), sep="\\n")
    print_json('{{"a": "\\u202e"}}')
    print_page("<p>caf\\u00e9</p>\\n")
    print_line("ended", sys.stderr)
    return {code}
finish(work)
"""


def run(shell: str, count: int = 9, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command with redirections of a shell. count: the number of lines it prints. code: which it returns."""
    return subprocess.run(
        [
            "bash",
            "-c",
            f'set -o pipefail; "$0" -c "$1" {shell}',
            sys.executable,
            COMMAND.format(count=count, code=code),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


class _Terminal(io.StringIO):
    """A terminal that keeps what it gets."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_drawings_and_text_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    drawn = "\x1b[?25l\x1b[1;31mred\x1b[0m\r\x1b[2K\x1b[1A\n"
    hostile = "\x1b]0;title\x07\x1b]8;;http://a\x1b\\\x1b[6n\x1bc\x9b2J\x08\u202e\udc80"
    for stream, passed in ((_Terminal(), drawn), (io.StringIO(), None)):
        Guard(stream).write(drawn + hostile)  # type: ignore[arg-type]
        written = stream.getvalue()
        assert written.startswith(passed or "\\x1b[?25l\\x1b[1;31mred\\x1b[0m\\x0d")
        rest = written.removeprefix(passed) if passed else written.replace("\n", "")
        assert rest.isprintable()
        assert rest.endswith("\\x1b]0;title\\x07\\x1b]8;;http://a\\x1b\\\\x1b[6n\\x1bc\\x9b2J\\x08\\u202e\\udc80")


def test_a_guard_is_its_stream_but_for_its_bytes() -> None:
    guard = Guard(sys.stdout)
    assert (guard.encoding, guard.fileno(), guard.isatty()) == (
        sys.stdout.encoding, sys.stdout.fileno(), sys.stdout.isatty()
    )  # fmt: skip
    assert not hasattr(guard, "buffer")
    with pytest.raises(TypeError):
        guard.write(b"\x1b")  # type: ignore[arg-type]


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("shell", ["| true", "| head -1", ">&-", "> /dev/null"])
@pytest.mark.parametrize("count", [9, 100_000])
def test_a_stdout_that_nobody_reads_changes_no_exit_code(shell: str, count: int, code: int) -> None:
    ended = run(shell, count, code)
    assert (ended.returncode, ended.stderr) == (code, "ended\n")
    assert ended.stdout in ("", "a first line\n")


@pytest.mark.parametrize(("count", "code", "expected"), [(9, 0, 74), (100_000, 1, 74), (9, 3, 3)])
def test_a_full_stdout_is_one_line_and_74(count: int, code: int, expected: int) -> None:
    ended = run("> /dev/full", count, code)
    assert ended.returncode == expected
    assert ended.stderr == "ended\n" + "error: stdout cannot be written: No space left on device\n" * (expected == 74)


@pytest.mark.parametrize("shell", ["2>&-", "2>/dev/full", "2> >(true)"])
def test_a_stderr_that_cannot_be_written_changes_nothing(shell: str) -> None:
    ended = run(shell, code=1)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout.startswith("a first line\n0\n")
    assert ended.stdout.endswith('{"a": "\\u202e"}\n<p>café</p>\n')


def test_no_file_takes_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    code = f"""
import subprocess, sys
from export.command import finish
def work():
    with open({str(tmp_path / "file")!r}, "w") as file:
        assert file.fileno() > 2
        subprocess.run([sys.executable, "-c", "import sys; print(1); print(2, file=sys.stderr); sys.stdin.read()"])
finish(work)
"""
    subprocess.run(["bash", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, code], check=True)
    assert (tmp_path / "file").read_text() == ""


def test_ascii_gets_ascii_and_a_page_is_utf_8() -> None:
    ended = run("", PYTHONIOENCODING="ascii")
    assert ended.stdout.endswith('{"a": "\\u202e"}\n<p>café</p>\n')


def test_a_terminal_is_drawn_on_through_a_guard() -> None:
    code = """
from export.command import finish
def work():
    import sys
    from rich.console import Console
    Console(stderr=True).print("[red]red[/red]")
    print("\\x1b]0;title\\x07", file=sys.stderr)
finish(work)
"""
    drawn, ended = drawn_by(code)
    assert ended == 0
    assert drawn == "\x1b[31mred\x1b[0m\r\n\\x1b]0;title\\x07\r\n"


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({"LANG": "C"}, "+-"),
        ({"LC_ALL": "POSIX", "LANG": "C.UTF-8"}, "+-"),
        ({"PYTHONIOENCODING": "ascii"}, "+-"),
        ({"LANG": "C", "PYTHONUTF8": "0"}, "+-"),
        ({"LANG": "C", "PYTHONIOENCODING": "utf-8"}, "±"),
        ({"LANG": "C.UTF-8"}, "±"),
        ({}, "±"),
    ],
)
def test_a_terminal_in_ascii_gets_ascii(environment: dict[str, str], shown: str) -> None:
    code = """
import sys
from export.command import finish
from export.errors import BadInput
from rich.console import Console
def work():
    print("±")
    Console().print("±")
    raise BadInput("±")
finish(work)
"""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LANG", "LC_", "PYTHON"))}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, env=inherited | environment)
    assert (run.stdout.decode(), run.stderr.decode()) == (f"{shown}\n{shown}\n", f"error: {shown}\n")
