"""Standard streams that are closed, full, or read by somebody who stops, and terminals."""

from collections.abc import Iterator

from benchmarks.hostile_cases.case import DONE, UNREAD, Case, Make, mechanism
from benchmarks.hostile_cases.common import FILES, TITLE
from benchmarks.hostile_cases.files import after, file, folder
from benchmarks.hostile_cases.tiny_graphs import BASELINE, FILE, files, own_operator
from benchmarks.hostile_cases.tiny_reports import FORMATS, SHOW, report

#: A comparison, and the removal of everything that was saved, which asks first.
_COMPARED, _REMOVE = " ".join(FILES), "compare remove --older-than 0d --cache-dir c"

#: Commands, and the code with which each ends.
COMMANDS = {
    "help": ("compare --help", 0),
    "version": ("compare --version", 0),
    "runtimes": ("compare runtimes", 0),
    "runtimes as Markdown": ("compare runtimes --markdown", 0),
    "battery --list": ("compare battery --list", 0),
    "show": ("compare show saved --full", 0),
    "show as JSON": ("compare show saved --json", 0),
    "show as HTML": ("compare show saved --format html", 0),
    "list": ("compare list --json --cache-dir c", 0),
    "diff": ("compare diff saved saved", 0),
    "rejudge": ("compare rejudge saved", 0),
    "export --help": ("export --help", 0),
    "export --list": ("export --list", 0),
    "compared": (_COMPARED, 0),
}

#: What no file can hold: nothing can be written to the stream.
FULL = (2, 3, 74)


#: Sets the title and the colours of a terminal, asks for its state and makes a link; and the same as a name of a file.
_TAKEN = f"{TITLE}\x9b7m\x1bP1$r\x1b\\\x1b]8;;file:///\x07"
_TAKEN_NAME = _TAKEN.replace("/", "")


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _a_reader_that_stops()
    yield from _a_full_device()
    yield from _closed_ones()
    yield from _an_input_that_says_no()
    yield from _names_that_take_the_terminal()
    yield from _a_plug_in_that_takes_the_terminal()


def _made() -> Make:
    """Make what the commands read."""
    return after(report(), report(name="c/reports/a/report.json"), files())


def _a_reader_that_stops() -> Iterator[Case]:
    of = mechanism("streams: a reader that stops", codes=UNREAD, make=_made(), seconds=120)
    piped = "set -o pipefail; "
    for words, (command, _) in COMMANDS.items():
        run = f"$PYTHON -m {command}"
        yield of(f"{words}, after a line", "bash", f"{piped}{run} | head -n 1 >/dev/null")
        yield of(f"{words}, at once", "bash", f"{piped}{run} | true")
        unbuffered = f"{piped}PYTHONUNBUFFERED=1 {run} | head -n 1 >/dev/null"
        yield of(f"{words}, after a line, unbuffered", "bash", unbuffered)
    yield of("progress", "bash", f"{piped}$PYTHON -m {_COMPARED} 2>&1 >/dev/null | true", codes=(0, 141))
    yield of("an error", "bash", f"{piped}$PYTHON -m compare --bogus 2>&1 | true", codes=(2, 141))


def _a_full_device() -> Iterator[Case]:
    of = mechanism("streams: a full device", codes=FULL, make=_made(), seconds=120)
    for words, (command, _) in COMMANDS.items():
        yield of(words, "bash", f"exec $PYTHON -m {command} >/dev/full", lines=1)
    yield of("for errors", "bash", "exec $PYTHON -m compare --bogus 2>/dev/full", codes=(2,), lines=0)
    yield of("for progress", "bash", f"exec $PYTHON -m {_COMPARED} 2>/dev/full", codes=(0, 2, 3), lines=0)
    yield of("for everything", "bash", "exec $PYTHON -m compare show saved >/dev/full 2>&1", lines=0)


def _closed_ones() -> Iterator[Case]:
    of = mechanism("streams: closed ones", make=_made(), seconds=120, lines=0)
    for words, (command, code) in COMMANDS.items():
        yield of(f"{words}, output", "bash", f"exec $PYTHON -m {command} >&-", codes=(code, *FULL), lines=None)
        yield of(f"{words}, all", "bash", f"exec $PYTHON -m {command} <&- >&- 2>&-", codes=(code, *FULL))
    yield of("input", "bash", "exec $PYTHON -m compare show saved <&-", codes=(0,))
    yield of("input of a comparison", "bash", f"exec $PYTHON -m {_COMPARED} <&-", codes=DONE)
    yield of("input of remove", "bash", f"exec $PYTHON -m {_REMOVE} <&-", codes=(0,), writes=("c",))
    yield of("errors", "bash", "exec $PYTHON -m compare --bogus 2>&-", codes=(2,))
    yield of("errors of export", "bash", "exec $PYTHON -m export --bogus 2>&-", codes=(2,))
    yield of("errors of a comparison", "bash", f"exec $PYTHON -m {_COMPARED} 2>&-", codes=DONE)


def _an_input_that_says_no() -> Iterator[Case]:
    of = mechanism("streams: an input that says no", codes=(0, 130), make=_made(), terminal=True, writes=("c",))
    yield of("the end of a file", "bash", f"$PYTHON -m {_REMOVE} </dev/null")
    yield of("zeros", "bash", f"head -c 1000 /dev/zero | $PYTHON -m {_REMOVE}")


def _names_that_take_the_terminal() -> Iterator[Case]:
    of = mechanism("terminal: names that take it", codes=(0, 1, 2, 3), terminal=True, seconds=120)
    everywhere = report(
        (("runtimes", 1, "name"), _TAKEN),
        (("model", "name"), _TAKEN),
        (("notes",), [_TAKEN]),
        (("input", "tokens", 0), _TAKEN),
    )
    for shape in FORMATS:
        yield of(f"a report, {shape}", *SHOW, "--format", shape, make=everywhere)
    yield of("a model's folder", "compare", "--model", f"./{_TAKEN_NAME}", make=folder("x"))
    yield of("an option", "compare", f"--{_TAKEN}")
    yield of("a command", "compare", _TAKEN)
    yield of("a runtime", "compare", "--runtimes", _TAKEN)
    yield of("an operator", *FILES, make=files(lambda m: own_operator(m, _TAKEN, "")))
    yield of("an operator in both", *FILES, make=files(lambda m: own_operator(m, _TAKEN, ""), both=True))
    named = ("compare", "--onnx", f"./{_TAKEN_NAME}", "--baseline", BASELINE)
    yield of("the name of a file", *named, make=files())
    yield of("a file that is no graph", *FILES, make=after(files(), file(FILE, _TAKEN)))
    listed = report(name=f"c/reports/{_TAKEN_NAME}/report.json")
    yield of("a list", "compare", "list", "--cache-dir", "c", make=listed)


def _a_plug_in_that_takes_the_terminal() -> Iterator[Case]:
    of = mechanism(
        "terminal: a plug-in that takes it",
        codes=(0, 1, 2, 3),
        make=after(_plugin(_TAKEN), files()),
        environment={"PYTHONPATH": "plugins"},
        seconds=120,
        writes=("plugins",),
    )
    yield of("runtimes", "compare", "runtimes")
    yield of("runtimes as Markdown", "compare", "runtimes", "--markdown")
    yield of("an unknown one", "compare", "--runtimes", "bogus")
    yield of("a broken one", "compare", "--runtimes", "broken", codes=(2, 3))
    yield of("to install", "compare", "runtimes", "--install", "broken", codes=(2, 3))
    yield of("runtimes on a terminal", "compare", "runtimes", terminal=True)
    yield of("all, of a comparison that has none", *FILES)


def _plugin(taken: str) -> Make:
    """Make a package whose entry points of runtimes have names and errors that take the terminal."""
    spec = (
        "from compare.runtimes.spec import Spec\n"
        f"named = Spec({taken!r}, 'nowhere:Nothing', {taken!r}, ('no_such_package_9',), {taken!r})\n"
        f"raise_ = None\nclass Bad(Exception): pass\n"
        f"def __getattr__(name):\n    raise RuntimeError({taken!r})\n"
    )
    names = {"named": "taking:named", "broken": "taking:missing", "none": "taking:raise_", "syntax": "wrong:x"}
    points = "\n".join(["[onnx_attention_compare.runtimes]", *(f"{name} = {target}" for name, target in names.items())])
    return after(
        file("plugins/taking.py", spec),
        file("plugins/wrong.py", "def (:\n"),
        file("plugins/taking-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: taking\nVersion: 1.0\n"),
        file("plugins/taking-1.0.dist-info/entry_points.txt", points),
    )
