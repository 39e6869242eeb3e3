"""Unusual models: files that an export can do without, the configuration of pooling, and names of folders."""

from collections.abc import Iterator

from benchmarks.hostile_cases.case import Case, mechanism
from benchmarks.hostile_cases.common import NOT_JSON, QUICK_TRACE, TINY, TITLE
from benchmarks.hostile_cases.files import after, file, folder, pipe
from benchmarks.hostile_cases.tiny_models import ABSENT, BERT, MODEL, model


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _files_that_are_not_needed_and_not_right()
    yield from _configurations_that_are_none()
    yield from _its_name()


def _files_that_are_not_needed_and_not_right() -> Iterator[Case]:
    of = mechanism("model folder: files that are not needed and not right", codes=(0, 2), seconds=120)
    for words, content in (
        ("no JSON", "{x"),
        ("a list", "[]"),
        ("a hot temperature", '{"temperature": "hot"}'),
        ("a temperature without sampling", '{"temperature": 0.5, "do_sample": false}'),
        ("a method", '{"generate": 5, "to_dict": 5}'),
        ("code", '{"custom_generate": "evil/x"}'),
        ("nested", "[" * 100_000),
    ):
        yield of(
            f"generation_config.json with {words}",
            "export",
            MODEL,
            make=after(model(), file(f"{MODEL}/generation_config.json", content)),
        )
    for name in ("1_Pooling/config.json", "modules.json", "chat_template.jinja", "added_tokens.json"):
        yield of(f"{name} with no JSON", "export", MODEL, make=after(model(), file(f"{MODEL}/{name}", b"\xff{%")))


def _configurations_that_are_none() -> Iterator[Case]:
    of = mechanism("pooling: configurations that are none", codes=(2,), fast=True)
    contents: dict[str, bytes | str] = {
        **NOT_JSON,
        "an unknown mode": '{"pooling_mode": "bogus"}',
        "a mode in a list": '{"pooling_mode": [["cls"]]}',
        "a number": '{"pooling_mode": 5}',
    }
    for words, content in contents.items():
        yield of(words, "export", MODEL, make=after(model(base=BERT), file(f"{MODEL}/1_Pooling/config.json", content)))
    yield of(
        "a pipe",
        "export",
        MODEL,
        make=after(model(base=BERT), pipe(f"{MODEL}/1_Pooling/config.json")),
        codes=(0, 2, 3),
        fast=False,
    )


def _its_name() -> Iterator[Case]:
    of = mechanism("model folder: its name", seconds=180)
    names = (
        *(
            f"{TITLE}x",
            "a\nerror: b",
            "\u202eledom",
            "$x_{",
            "{x}",
            "[/bold]",
            "a'b\"c;d",
            "%s",
            " ",
            "-model",
            "ü" * 100,
        ),
        *("<script>alert(1)", "|a|`b`", "..x", "x.y.z", "con", "#", "&amp;"),
    )
    for name in names:
        yield of(f"refused, {name!a}", "export", f"./{name}", make=folder(name), codes=(2,), fast=True)
    yield of(
        "refused, bytes that are no text",
        "bash",
        "mkdir $'a\\xff'; $PYTHON -m export ./$'a\\xff'",
        codes=(2,),
        writes=("a\udcff",),
    )
    for name in (f"{TITLE}x", "$x_{", "[/bold]", "<img src=x onerror=alert(1)>", "ü" * 100, "a\nb", "{x!r}"):
        yield of(
            f"compared, {name!a}",
            "compare",
            "--model",
            f"./{name}",
            *QUICK_TRACE,
            make=model(name=name),
            codes=(0, 1),
            lacks=("<img",),
        )
    yield of(
        "compared, bytes that are no text",
        "bash",
        f"mv {MODEL} $'a\\xff'; $PYTHON -m compare --model ./$'a\\xff' {' '.join(QUICK_TRACE)}",
        make=model(),
        codes=(0, 1, 2),
        writes=(MODEL, "a\udcff"),
    )
    yield of("compared, nothing unusual", *TINY, make=model(), codes=(0, 1))
    yield of("compared, absent type of class", *TINY, make=model({"architectures": ABSENT}), codes=(0, 1))
