"""Options, plug-ins and providers of runtimes that are none."""

from collections.abc import Iterator

from benchmarks.hostile_cases.case import Case, mechanism
from benchmarks.hostile_cases.common import FILES, LONG, SHIPPED, TITLE, UNTIMED
from benchmarks.hostile_cases.files import after, file, folder, pipe
from benchmarks.hostile_cases.tiny_graphs import files


def cases() -> Iterator[Case]:
    """Yield the cases."""
    of = mechanism("plug-in: a file that is none", codes=(2, 3), needs=("byte-gpt2",), seconds=120)
    for words, content in {
        "empty": b"",
        "a text": b"x",
        "the start of a library": b"\x7fELF" + bytes(60),
        "random": bytes(range(256)),
    }.items():
        yield of(words, *SHIPPED, *UNTIMED, "--provider", "./x.so", make=file("x.so", content))
    yield of("a folder", *SHIPPED, *UNTIMED, "--provider", "./x.so", make=folder("x.so"), needs=())
    yield of("a pipe", *SHIPPED, *UNTIMED, "--provider", "./x.so", make=pipe("x.so"), needs=())
    yield of("a device", *SHIPPED, *UNTIMED, "--provider", "/dev/zero", needs=())
    yield of("a library of something else", *SHIPPED, *UNTIMED, "--provider", "/lib/x86_64-linux-gnu/libm.so.6")
    yield of("a package that is none", *SHIPPED, *UNTIMED, "--provider", "json")
    yield of("a module that ends the process", *SHIPPED, *UNTIMED, "--provider", "this")
    yield of(
        "a name of the row that takes the terminal",
        *SHIPPED,
        *UNTIMED,
        "--provider",
        f"./{TITLE}.so",
        make=file(f"{TITLE}.so", b"x"),
    )

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
        may = (0, 2, 3)
        yield of(
            f"{key:.40}={value:.12}".encode("ascii", "backslashreplace").decode(),
            *FILES,
            "--option",
            f"onnx-file.{key}={value}",
            codes=may,
        )
    yield of("no GPU", *SHIPPED, "--device", "cuda", "--no-latency", needs=("byte-gpt2",), make=after())
