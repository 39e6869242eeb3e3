"""What cases of several kinds share: names that are hostile, files that are not JSON, and arguments of comparisons."""

from benchmarks.hostile_cases.tiny_graphs import BASELINE, FILE
from benchmarks.hostile_cases.tiny_models import MODEL

#: Sets the title of a terminal, which no text from outside may do.
TITLE = "\x1b]0;taken\x07"

#: Bytes that are not UTF-8. Python reads them as lone surrogates.
NO_TEXT = b"\xff\xfe"

#: A name that is too long for a file, and one that is too long for a path.
LONG = "n" * 300
VERY_LONG = "n" * 5000

#: A file that Git left in the place of a large one.
GIT_LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"

#: What stands in files that should be JSON objects.
NOT_JSON: dict[str, bytes | str] = {
    "empty": "",
    "cut": '{"model_type": "gp',
    "a list": "[]",
    "a number": "5",
    "null": "null",
    "a string": '"gpt2"',
    "nested 100,000 deep": "[" * 100_000,
    "objects 50,000 deep": '{"a":' * 50_000,
    "UTF-16": '{"model_type": "gpt2"}'.encode("utf-16"),
    "zeros": bytes(100),
    "YAML": "model_type: gpt2\n",
    "a web page": "<!doctype html><title>404</title>",
    "a pointer of Git LFS": GIT_LFS,
}

#: Options of a comparison of one runtime without latency. The text decides how many tokens there are.
UNTIMED = ("--no-latency", "--runtimes", "onnxruntime")

#: Options of a comparison that takes a few seconds for any tiny model.
QUICK_TRACE = (*UNTIMED, "--sequence", "8")

#: Compares the tiny model of a case.
TINY = ("compare", "--model", MODEL, *QUICK_TRACE)

#: A comparison of the shipped model, with nothing decided.
SHIPPED = ("compare", "--model", "byte-gpt2")

#: The same in a few seconds. It also writes figures.
COMPARED = (*SHIPPED, *QUICK_TRACE)

#: A comparison of two ONNX files without latency, and the same in a few seconds.
UNTIMED_FILES = ("compare", "--onnx", FILE, "--baseline", BASELINE, "--no-latency")
FILES = (*UNTIMED_FILES, "--sequence", "8")

#: Compares an ONNX file with the shipped model in a few seconds.
WITH_MODEL = (*SHIPPED, "--onnx", FILE, *QUICK_TRACE)
