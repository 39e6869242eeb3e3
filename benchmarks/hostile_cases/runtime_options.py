"""Options, plug-ins and providers of runtimes that are none."""

from collections.abc import Iterator

from benchmarks.hostile_cases.case import Case, mechanism
from benchmarks.hostile_cases.common import FILES, LONG, SHIPPED, TITLE, UNTIMED
from benchmarks.hostile_cases.files import after, file, folder, pipe
from benchmarks.hostile_cases.tiny_graphs import files

#: Compares the shipped model with a provider or a plug-in.
_WITH = (*SHIPPED, *UNTIMED, "--provider")


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _plug_ins_that_are_none()
    yield from _values_that_a_runtime_refuses()


def _plug_ins_that_are_none() -> Iterator[Case]:
    of = mechanism("plug-in: a file that is none", codes=(2, 3), needs=("byte-gpt2",), seconds=120)
    for words, content in {
        "empty": b"",
        "a text": b"x",
        "the start of a library": b"\x7fELF" + bytes(60),
        "random": bytes(range(256)),
    }.items():
        yield of(words, *_WITH, "./x.so", make=file("x.so", content))
    yield of("a folder", *_WITH, "./x.so", make=folder("x.so"), needs=())
    yield of("a pipe", *_WITH, "./x.so", make=pipe("x.so"), needs=())
    yield of("a device", *_WITH, "/dev/zero", needs=())
    yield of("a library of something else", *_WITH, "/lib/x86_64-linux-gnu/libm.so.6")
    yield of("a package that is none", *_WITH, "json")
    yield of("a module that ends the process", *_WITH, "this")
    taken = f"{TITLE}.so"
    yield of("a name of the row that takes the terminal", *_WITH, f"./{taken}", make=file(taken, b"x"))


def _values_that_a_runtime_refuses() -> Iterator[Case]:
    of = mechanism("options: values that a runtime refuses", codes=(2, 3), make=files(), seconds=120)
    for key, value in (
        ("provider", "bogus"),
        ("provider", ""),
        ("plugin", "./none.so"),
        ("plugin", "/dev/zero"),
        ("provider.bogus", "1"),
        ("session.intra_op.allow_spinning", LONG * 10),
        ("session.bogus", TITLE),
        ("", "x"),
        ("x" * 2000, "x"),
        ("session.intra_op_thread_affinities", "bogus"),
        ("session.load_model_format", "ORT"),
        ("session.model_external_initializers_file_folder_path", "/etc"),
    ):
        words = f"{key:.40}={value:.12}".encode("ascii", "backslashreplace").decode()
        yield of(words, *FILES, "--option", f"onnx-file.{key}={value}", codes=(0, 2, 3))
    yield of("no GPU", *SHIPPED, "--device", "cuda", "--no-latency", needs=("byte-gpt2",), make=after())
