"""`--out`: folders that cannot be written to, and folders with something of the user's in them."""

from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.hostile_cases.case import DONE, Case, mechanism
from benchmarks.hostile_cases.common import COMPARED, FILES, LONG, TINY, TITLE
from benchmarks.hostile_cases.files import after, file, folder, link, pipe
from benchmarks.hostile_cases.tiny_graphs import files
from benchmarks.hostile_cases.tiny_models import model
from benchmarks.hostile_cases.tiny_reports import report

#: Comparisons of a few seconds, without the folder: of the shipped model, and of two files, whose refusal comes later.
OF_MODEL, OF_FILES = (*COMPARED, "--out"), (*FILES, "--out")


def absent(name: str) -> Callable[[Path], str]:
    """Return a check that something does not exist."""
    return lambda work: f"{name} is there" if (work / name).exists() else ""


def holds(name: str, content: str) -> Callable[[Path], str]:
    """Return a check that a file has this content."""

    def check(work: Path) -> str:
        path = work / name
        return "" if path.is_file() and path.read_text() == content else f"{name} was changed"

    return check


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _a_folder_that_cannot_be()
    yield from _something_of_the_user_s_in_it()
    yield from _a_report_and_something_of_the_user_s()
    yield from _a_refused_run_leaves_nothing()
    yield from _unusual_but_legal()


def _a_folder_that_cannot_be() -> Iterator[Case]:
    of = mechanism("out: a folder that cannot be", codes=(2,), fast=True)
    for words, name, make in (
        ("a file", "out", file("out")),
        ("below a file", "out/x", file("out")),
        ("a pipe", "out", pipe("out")),
        ("a link to itself", "out", link("out", "out")),
        ("a link to nothing below a file", "out", after(file("a"), link("out", "a/b"))),
        ("a device", "/dev/null", folder("x")),
        ("a full device", "/dev/full", folder("x")),
        ("of the system", "/proc/x", folder("x")),
        ("of the kernel", "/sys/x", folder("x")),
        ("too long", LONG, folder("x")),
        ("too long a path", "a/" * 2500, folder("x")),
        ("empty", "", folder("x")),
        ("a file of a model", "model/config.json", model()),
    ):
        yield of(words, *OF_MODEL, name, make=make)
        yield of(f"{words}, two files", *OF_FILES, name, make=after(make, files()))


def _something_of_the_user_s_in_it() -> Iterator[Case]:
    of = mechanism("out: something of the user's in it", codes=(2,), fast=True)
    for words, name, content in (
        ("a text", "notes.txt", "mine"),
        ("a report.md", "report.md", "mine"),
        ("a report.html", "report.html", "mine"),
        ("a report.json of something else", "report.json", '{"mine": 1}'),
        ("maps.npz", "maps.npz", "mine"),
        ("a figure", "latency.png", "mine"),
        ("scratch", "scratch/mine", "mine"),
        ("scratch/inputs", "scratch/inputs/mine", "mine"),
        ("hidden", ".git/config", "mine"),
        ("a lock", ".lock", "mine"),
    ):
        yield of(words, *OF_FILES, "out", make=after(files(), file(f"out/{name}", content)))
    yield of("the working folder", *OF_FILES, ".", make=files())
    yield of("the working folder by its name", *OF_FILES, "../work", make=files())
    yield of("the folder of the model", *TINY, "--out", "model", make=model(), fast=False)
    yield of("above the folder of the model", *TINY, "--out", ".", make=model(), fast=False)
    yield of("the cache", *OF_MODEL, "../cache", needs=("byte-gpt2",), fast=False)
    yield of("the entries of the cache", *OF_MODEL, "../cache/models", needs=("byte-gpt2",), fast=False)
    yield of(
        "a link to such a folder", *OF_FILES, "out", make=after(files(), file("mine/a", "mine"), link("out", "mine"))
    )
    yield of(
        "a link to nothing",
        *OF_FILES,
        "out",
        make=after(files(), link("out", "nothing")),
        codes=(0, 2),
        writes=("out", "nothing"),
        fast=False,
    )
    yield of(
        "a link in the place of a report",
        *OF_FILES,
        "out",
        make=after(files(), file("mine", "mine"), link("out/report.json", "../mine")),
    )
    yield of(
        "a link in the place of scratch",
        *OF_FILES,
        "out",
        make=after(files(), file("mine/inputs/a", "mine"), link("out/scratch", "../mine")),
    )


def _a_report_and_something_of_the_user_s() -> Iterator[Case]:
    of = mechanism("out: a report and something of the user's", codes=(0, 2), writes=("out",), seconds=120)
    mine = after(files(), report(name="out/report.json"), file("out/notes.txt", "mine"))
    yield of("a text", *OF_FILES, "out", make=mine, check=holds("out/notes.txt", "mine"))
    mine = after(files(), report(name="out/report.json"), file("out/scratch/inputs/mine", "mine"))
    yield of("in scratch/inputs", *OF_FILES, "out", make=mine, check=holds("out/scratch/inputs/mine", "mine"))
    mine = after(files(), report(name="out/report.json"), link("out/report.md", "../mine.md"), file("mine.md", "mine"))
    yield of("a link to a file outside", *OF_FILES, "out", make=mine, check=holds("mine.md", "mine"))
    mine = after(files(), report(name="out/report.json"), link("out/.lock", "../mine.lock"), file("mine.lock", "mine"))
    yield of("a link as the lock", *OF_FILES, "out", make=mine, check=holds("mine.lock", "mine"))
    mine = after(
        files(), report(name="out/report.json"), link("out/.report.json.partial", "../mine"), file("mine", "mine")
    )
    yield of("a link as the partial report", *OF_FILES, "out", make=mine, check=holds("mine", "mine"))


def _a_refused_run_leaves_nothing() -> Iterator[Case]:
    of = mechanism("out: a refused run leaves nothing", codes=(2, 3), check=absent("new"), fast=True)
    for words, arguments, make in (
        ("an unknown runtime", ("--runtimes", "bogus"), folder("x")),
        ("an unknown model", ("--model", "./none"), folder("x")),
        ("a missing text", ("--text-file", "none"), folder("x")),
        ("a wrong number", ("--batch", "0"), folder("x")),
        ("a wrong grid", ("--grid", "x"), folder("x")),
        ("a broken graph", ("--onnx", "x.onnx", "--baseline", "x.onnx"), file("x.onnx", "x")),
        ("a broken model", ("--model", "model"), after(model(), file("model/config.json", "{"))),
        ("a wrong --explain", ("--explain", "bogus"), folder("x")),
    ):
        yield of(words, "compare", *arguments, "--out", "new", make=make)
        yield of(f"{words}, deep", "compare", *arguments, "--out", "new/a/b", make=make)
    yield of(
        "too long a text",
        *OF_MODEL,
        "new",
        "--text",
        "a " * 5000,
        "--sequence",
        "9000",
        needs=("byte-gpt2",),
        fast=False,
    )
    yield of("a batch without memory", *OF_MODEL, "new", "--batch", "1000000", needs=("byte-gpt2",), fast=False)


def _unusual_but_legal() -> Iterator[Case]:
    of = mechanism("out: unusual but legal", codes=DONE, writes=("new",), seconds=120)
    for name in (
        "new/a/b/c",
        f"new/{TITLE}",
        "new/$x_{",
        "new/[bold]",
        "new/ü 模",
        "new/a\nb",
        "new/-x",
        f"new/{'n' * 250}",
        "new/../new",
    ):
        yield of(f"{name[4:20]!a}", *OF_FILES, name, make=files())
    yield of("empty folders", *OF_FILES, "new", make=after(files(), folder("new")))
    yield of("a link to an empty folder", *OF_FILES, "out", make=after(files(), folder("new"), link("out", "new")))
    yield of(
        "bytes that are no text",
        "bash",
        f"exec $PYTHON -m {' '.join(OF_FILES)} new/$'a\\xff'",
        make=files(),
        codes=(0, 2),
    )
