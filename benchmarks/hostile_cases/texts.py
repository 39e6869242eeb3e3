"""Texts: files that cannot be read, that have no end, or that are no text, and texts that no model can take."""

from collections.abc import Iterator

from benchmarks.hostile_cases.case import DONE, Case, mechanism
from benchmarks.hostile_cases.common import NO_TEXT, SHIPPED, TITLE, UNTIMED
from benchmarks.hostile_cases.files import bound_socket, file, folder, link, pipe, sparse


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _a_file_that_is_none()
    yield from _a_file_that_is_no_text()
    yield from _an_endless_or_very_long_file()
    yield from _as_an_argument()
    yield from _more_or_fewer_tokens_than_there_are()
    yield from _unusual_but_legal()


def _a_file_that_is_none() -> Iterator[Case]:
    of = mechanism("text: a file that is none", codes=(2,), fast=True)
    yield of("missing", "compare", "--text-file", "none")
    yield of("a folder", "compare", "--text-file", "t", make=folder("t"))
    yield of("a link to itself", "compare", "--text-file", "t", make=link("t", "t"))
    yield of("a link to nothing", "compare", "--text-file", "t", make=link("t", "none"))
    yield of("a socket", "compare", "--text-file", "t", make=bound_socket("t"))
    yield of("below a file", "compare", "--text-file", "t/x", make=file("t"))
    yield of("a pipe that nobody writes to", "compare", "--text-file", "t", make=pipe("t"))
    for device in ("zero", "random", "full", "null", "stdin", "tty"):
        yield of(f"/dev/{device}", "compare", "--text-file", f"/dev/{device}")
    yield of("a link to a device", "compare", "--text-file", "t", make=link("t", "/dev/zero"))
    yield of("the memory of a process", "compare", "--text-file", "/proc/self/mem")


def _a_file_that_is_no_text() -> Iterator[Case]:
    of = mechanism("text: a file that is no text", codes=(2,), fast=True)
    for words, content in {
        "Latin-1": b"na\xefve",
        "UTF-16": "text".encode("utf-16"),
        "cut in a character": "é".encode()[:1],
        "a surrogate": b"\xed\xa0\x80",
        "PNG": b"\x89PNG\r\n\x1a\n" + bytes(64),
        "empty": b"",
        "blank": b" \n\t\r\n",
    }.items():
        yield of(words, "compare", "--text-file", "t", make=file("t", content))
    yield of(
        "a byte order mark alone",
        *SHIPPED,
        *UNTIMED,
        "--text-file",
        "t",
        make=file("t", b"\xef\xbb\xbf"),
        codes=(0, 2),
        needs=("byte-gpt2",),
        fast=False,
        seconds=180,
    )


def _an_endless_or_very_long_file() -> Iterator[Case]:
    of = mechanism("text: an endless or very long file", codes=(2,))
    yield of("100 GB of zeros", "compare", "--text-file", "t", make=sparse("t", 10**11))
    yield of("3 GB of zeros", "compare", "--text-file", "t", make=sparse("t", 3 * 10**9))
    yield of(
        "500 MB of zeros", *SHIPPED, *UNTIMED, "--text-file", "t", make=sparse("t", 5 * 10**8), needs=("byte-gpt2",)
    )
    yield of("5 MB of words", *SHIPPED, *UNTIMED, "--text-file", "t", make=file("t", b"some words " * 450_000))
    yield of("standard input", "bash", "yes | $PYTHON -m compare --text-file /dev/stdin")


def _as_an_argument() -> Iterator[Case]:
    of = mechanism("text: as an argument", codes=(2,), fast=True)
    yield of("empty", "compare", "--text", "")
    yield of("blank", "compare", "--text", " \t\n\u2003")
    yield of("bytes that are no text", "compare", "--text", b"a" + NO_TEXT, says="text")


def _more_or_fewer_tokens_than_there_are() -> Iterator[Case]:
    of = mechanism("text: more or fewer tokens than there are", codes=(2,), needs=("byte-gpt2",))
    yield of("fewer", *SHIPPED, *UNTIMED, "--text", "ab", "--sequence", "3")
    yield of("more than positions", *SHIPPED, *UNTIMED, "--text", "ab " * 3000)
    yield of("more than positions asked for", *SHIPPED, *UNTIMED, "--sequence", "1000000")
    yield of("a grid beyond the text", *SHIPPED, "--text", "ab", "--grid", "9x1")


def _unusual_but_legal() -> Iterator[Case]:
    of = mechanism("text: unusual but legal", codes=DONE, needs=("byte-gpt2",), seconds=180)
    for words, text in {
        "control characters": f"{TITLE}\x1b[31m\x07\x08 \x7f text\x9b",
        "one character": "a",
        "right to left": "\u202eabc \u05d0\u05d1 \u2066x",
        "markup": "[bold]x[/] <script>alert(1)</script> | $x_{ `a` {y}",
        "emoji": "👩‍👩‍👧‍👦 é ﷽",
    }.items():
        yield of(words, *SHIPPED, *UNTIMED, "--text", text, "--explain", "onnxruntime", lacks=("<script>",))
    yield of("zero bytes", *SHIPPED, *UNTIMED, "--text-file", "t", make=file("t", bytes(40)))
    yield of("1 MB", *SHIPPED, *UNTIMED, "--text-file", "t", "--sequence", "8", make=file("t", b"some words " * 90_000))
    yield of(
        "line ends of Windows", *SHIPPED, *UNTIMED, "--text-file", "t", "--full", make=file("t", b"a\r\nb\rc\x0cd\n")
    )
