"""Model folders: parts that are no files, that are missing, or that have no end."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.hostile_cases.case import Case, Make, mechanism
from benchmarks.hostile_cases.files import after, file, folder, gone, json_file, link, pipe, sparse
from benchmarks.hostile_cases.tiny_models import CONFIG, MODEL, WEIGHTS, model

#: Files that the folder of a model need not have.
_FURTHER = (
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
)


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _a_part_is_no_file()
    yield from _large_files_of_zeros()
    yield from _something_else()


def _a_part_is_no_file() -> Iterator[Case]:
    of = mechanism("model folder: a part is no file", fast=True)
    for place in ("config.json", "model.safetensors"):
        name = f"{MODEL}/{place}"
        for words, make in {
            "is a folder": folder(name),
            "is a link to itself": link(name, place),
            "is a link to nothing": link(name, "none"),
            "is a pipe": pipe(name),
            "has no end": link(name, "/dev/zero"),
            "is a device": link(name, "/dev/null"),
        }.items():
            yield of(f"{place} {words}", "export", MODEL, make=after(model(), make))
    for place in _FURTHER:
        name = f"{MODEL}/{place}"
        for words, make in {
            "is a pipe": pipe(name),
            "has no end": link(name, "/dev/zero"),
            "is a folder": folder(name),
        }.items():
            make = after(model(), make)
            yield of(f"{place} {words}", "export", MODEL, make=make, codes=(0, 2, 3), fast=False)


def _large_files_of_zeros() -> Iterator[Case]:
    of = mechanism("model folder: large files of zeros")
    for place in ("config.json", "tokenizer.json", "generation_config.json"):
        yield of(place, "export", MODEL, make=after(model(), sparse(f"{MODEL}/{place}", 20 * 10**9)))
    yield of("model.safetensors", "export", MODEL, make=after(model(), sparse(WEIGHTS, 10**12)))
    yield of("model.safetensors behind a right header", "export", MODEL, make=after(model(), _longer(10**12)))


def _something_else() -> Iterator[Case]:
    of = mechanism("model folder: something else", fast=True, codes=(2,))
    yield of("nothing in it", "export", MODEL, make=folder(MODEL))
    pickle = file(f"{MODEL}/pytorch_model.bin", b"\x80\x04K\x01.")
    for words, make in {
        "no weights": gone(WEIGHTS),
        "no configuration": gone(CONFIG),
        "pickles alone": after(gone(WEIGHTS), pickle),
        "an adapter": json_file(f"{MODEL}/adapter_config.json", {}),
        "another name of the weights": _renamed("consolidated.safetensors"),
        "GGUF alone": after(gone(WEIGHTS), file(f"{MODEL}/model.gguf", b"GGUF")),
    }.items():
        yield of(words, "export", MODEL, make=after(model(), make))
    yield of("a link to itself", "export", f"./{MODEL}", make=link(MODEL, MODEL))
    yield of("a pipe", "export", f"./{MODEL}", make=pipe(MODEL))


def _renamed(name: str) -> Make:
    def made(work: Path) -> None:
        (work / WEIGHTS).rename(work / MODEL / name)

    return made


def _longer(size: int) -> Make:
    """Lengthen the weights of a model with zeros that take no space."""

    def made(work: Path) -> None:
        with (work / WEIGHTS).open("r+b") as opened:
            opened.truncate(size)

    return made
