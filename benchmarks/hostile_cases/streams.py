"""Standard streams that are closed, full, or read by somebody who stops, and terminals."""

from collections.abc import Iterator

from benchmarks.hostile_cases.case import DONE, UNREAD, Case, Make, mechanism
from benchmarks.hostile_cases.common import FILES, TITLE
from benchmarks.hostile_cases.files import after, file, folder
from benchmarks.hostile_cases.tiny_graphs import BASELINE, FILE, files, own_operator
from benchmarks.hostile_cases.tiny_reports import FORMATS, SHOW, report

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
    "compared": (" ".join(FILES), 0),
}

#: What no file can hold: nothing can be written to the stream.
FULL = (2, 3, 74)


def cases() -> Iterator[Case]:
    """Yield the cases."""
    made = after(report(), report(name="c/reports/a/report.json"), files())

    of = mechanism("streams: a reader that stops", codes=UNREAD, make=made, seconds=120)
    for words, (command, _) in COMMANDS.items():
        yield of(f"{words}, after a line", "bash", f"set -o pipefail; $PYTHON -m {command} | head -n 1 >/dev/null")
        yield of(f"{words}, at once", "bash", f"set -o pipefail; $PYTHON -m {command} | true")
        yield of(
            f"{words}, after a line, unbuffered",
            "bash",
            f"set -o pipefail; PYTHONUNBUFFERED=1 $PYTHON -m {command} | head -n 1 >/dev/null",
        )
    yield of(
        "progress",
        "bash",
        f"set -o pipefail; $PYTHON -m {COMMANDS['compared'][0]} 2>&1 >/dev/null | true",
        codes=(0, 141),
    )
    yield of("an error", "bash", "set -o pipefail; $PYTHON -m compare --bogus 2>&1 | true", codes=(2, 141))

    of = mechanism("streams: a full device", codes=FULL, make=made, seconds=120)
    for words, (command, _) in COMMANDS.items():
        yield of(words, "bash", f"exec $PYTHON -m {command} >/dev/full", lines=1)
    yield of("for errors", "bash", "exec $PYTHON -m compare --bogus 2>/dev/full", codes=(2,), lines=0)
    yield of("for progress", "bash", f"exec $PYTHON -m {COMMANDS['compared'][0]} 2>/dev/full", codes=(0, 2, 3), lines=0)
    yield of("for everything", "bash", "exec $PYTHON -m compare show saved >/dev/full 2>&1", lines=0)

    of = mechanism("streams: closed ones", make=made, seconds=120, lines=0)
    for words, (command, code) in COMMANDS.items():
        yield of(f"{words}, output", "bash", f"exec $PYTHON -m {command} >&-", codes=(code, *FULL), lines=None)
        yield of(f"{words}, all", "bash", f"exec $PYTHON -m {command} <&- >&- 2>&-", codes=(code, *FULL))
    yield of("input", "bash", "exec $PYTHON -m compare show saved <&-", codes=(0,))
    yield of("input of a comparison", "bash", f"exec $PYTHON -m {COMMANDS['compared'][0]} <&-", codes=DONE)
    yield of(
        "input of remove",
        "bash",
        "exec $PYTHON -m compare remove --older-than 0d --cache-dir c <&-",
        codes=(0,),
        writes=("c",),
    )
    yield of("errors", "bash", "exec $PYTHON -m compare --bogus 2>&-", codes=(2,))
    yield of("errors of export", "bash", "exec $PYTHON -m export --bogus 2>&-", codes=(2,))
    yield of("errors of a comparison", "bash", f"exec $PYTHON -m {COMMANDS['compared'][0]} 2>&-", codes=DONE)

    of = mechanism("streams: an input that says no", codes=(0, 130), make=made, terminal=True, writes=("c",))
    yield of("the end of a file", "bash", "$PYTHON -m compare remove --older-than 0d --cache-dir c </dev/null")
    yield of("zeros", "bash", "head -c 1000 /dev/zero | $PYTHON -m compare remove --older-than 0d --cache-dir c")

    taken = f"{TITLE}\x9b7m\x1bP1$r\x1b\\\x1b]8;;file:///\x07"
    of = mechanism("terminal: names that take it", codes=(0, 1, 2, 3), terminal=True, seconds=120)
    for shape in FORMATS:
        named = report(
            (("runtimes", 1, "name"), taken),
            (("model", "name"), taken),
            (("notes",), [taken]),
            (("input", "tokens", 0), taken),
        )
        yield of(f"a report, {shape}", *SHOW, "--format", shape, make=named)
    yield of("a model's folder", "compare", "--model", f"./{taken.replace('/', '')}", make=folder("x"))
    yield of("an option", "compare", f"--{taken}")
    yield of("a command", "compare", taken)
    yield of("a runtime", "compare", "--runtimes", taken)
    yield of("an operator", *FILES, make=files(lambda m: own_operator(m, taken, "")))
    yield of("an operator in both", *FILES, make=files(lambda m: own_operator(m, taken, ""), both=True))
    yield of(
        "the name of a file", "compare", "--onnx", f"./{taken.replace('/', '')}", "--baseline", BASELINE, make=files()
    )
    yield of("a file that is no graph", *FILES, make=after(files(), file(FILE, taken)))
    yield of(
        "a list",
        "compare",
        "list",
        "--cache-dir",
        "c",
        make=report(name=f"c/reports/{taken.replace('/', '')}/report.json"),
    )

    of = mechanism(
        "terminal: a plug-in that takes it",
        codes=(0, 1, 2, 3),
        make=after(_plugin(taken), files()),
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
