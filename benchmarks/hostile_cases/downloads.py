"""What was downloaded: snapshots in the cache of the hub's library, and packages whose registry does not answer."""

from collections.abc import Iterator

from benchmarks.hostile_cases.case import Case, Make, mechanism
from benchmarks.hostile_cases.common import TITLE
from benchmarks.hostile_cases.files import after, file, folder, link, pipe
from benchmarks.hostile_cases.tiny_models import model

#: The folder of a model in the cache of the hub's library.
HUB = "../home/.cache/huggingface/hub/models--user--x"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SNAPSHOT = f"{HUB}/snapshots/{COMMIT}"


def snapshot(*makes: Make) -> Make:
    """Make a downloaded model, with changes."""
    return after(file(f"{HUB}/refs/main", COMMIT), model(name=SNAPSHOT), *makes)


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _snapshots_that_were_changed()
    yield from _registries_that_do_not_answer()


def _snapshots_that_were_changed() -> Iterator[Case]:
    of = mechanism("download: snapshots that were changed", codes=(2, 3), seconds=60)
    offline = ("export", "--offline", "user/x")
    makes: dict[str, Make] = {
        "no configuration": lambda work: (work / SNAPSHOT / "config.json").unlink(),
        "a broken configuration": file(f"{SNAPSHOT}/config.json", "{"),
        "no weights": lambda work: (work / SNAPSHOT / "model.safetensors").unlink(),
        "broken weights": file(f"{SNAPSHOT}/model.safetensors", b"x"),
        "weights that are a pipe": pipe(f"{SNAPSHOT}/model.safetensors"),
        "weights without an end": link(f"{SNAPSHOT}/model.safetensors", "/dev/zero"),
        "weights that are a link to nothing": link(f"{SNAPSHOT}/model.safetensors", "none"),
        "weights of another digest": after(
            file(f"{HUB}/blobs/{'0' * 64}", b"x"), link(f"{SNAPSHOT}/model.safetensors", f"../../blobs/{'0' * 64}")
        ),
        "a tokenizer that is a pipe": pipe(f"{SNAPSHOT}/tokenizer_x.json"),
        "a revision that is none": file(f"{HUB}/refs/main", "none"),
        "a revision above the folder": file(f"{HUB}/refs/main", "../../../../.."),
        "a revision that takes the terminal": file(f"{HUB}/refs/main", TITLE),
        "an empty revision": file(f"{HUB}/refs/main", ""),
        "a revision of bytes": file(f"{HUB}/refs/main", b"\xff\0"),
        "a revision that is a folder": after(
            lambda work: (work / HUB / "refs" / "main").unlink(), folder(f"{HUB}/refs/main")
        ),
        "a revision that is a pipe": pipe(f"{HUB}/refs/main"),
        "a snapshot that is a file": file(f"{HUB}/refs/main", "f" * 40),
        "code of its own": file(
            f"{SNAPSHOT}/config.json", '{"model_type": "x", "auto_map": {"AutoConfig": "evil.Evil"}}'
        ),
    }
    for words, make in makes.items():
        codes = (0, 2, 3) if words == "an empty revision" else (2, 3)
        yield of(words, *offline, make=snapshot(make), codes=codes)
    yield of("the folder is a file", *offline, make=file(HUB, ""))
    yield of("the folder is a link to itself", *offline, make=link(HUB, "models--user--x"))


def _registries_that_do_not_answer() -> Iterator[Case]:
    silent = {
        "PIP_INDEX_URL": "http://127.0.0.1:9",
        "PIP_RETRIES": "0",
        "npm_config_registry": "http://127.0.0.1:9",
        "npm_config_fetch_retries": "0",
    }
    of = mechanism("download: registries that do not answer", codes=(2, 3), seconds=120, environment=silent)
    install = ("compare", "runtimes", "--install")
    yield of("of Python packages", *install, "mnn")
    yield of("of npm packages", *install, "onnxruntime-web-node")
    yield of("of a broken address", *install, "mnn", environment={**silent, "PIP_INDEX_URL": TITLE})
    yield of("a runtime without one", *install, "onnxruntime")
    yield of("where the cache cannot be written", *install, "mnn", make=file("../cache/environments"))
