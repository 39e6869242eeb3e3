"""The text that byte-gpt2 learns from: documentation that comes with Python, and the part of it that is held out."""

import ast
import hashlib
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics

import torch
from torch import Tensor

from export.tokens import byte_tokenizer

#: One document in so many is held out.
HELD_OUT = 20

#: Parts of the standard library that are left out: tests, third-party code, and modules that some systems lack.
_LEFT_OUT = {"test", "tests", "idlelib", "lib2to3", "turtledemo", "ensurepip", "site-packages", "dist-packages"}


def documents() -> list[str]:
    """Return the topics, then the docstrings in the order of their files, without duplicates."""
    library = Path(sysconfig.get_path("stdlib"))
    files = (path for path in library.rglob("*.py") if not _LEFT_OUT & set(path.relative_to(library).parts))
    docstrings = (text for path in sorted(files) for text in docstrings_of(path))
    return list(dict.fromkeys([*(topics[name] for name in sorted(topics)), *docstrings]))


def docstrings_of(path: Path) -> Iterator[str]:
    """Yield the docstrings of a module, its classes and functions, without importing it."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, documented) and (text := ast.get_docstring(node)):
            yield text


def split(texts: list[str]) -> tuple[list[str], list[str]]:
    """Split documents into those for training and those held out: one in twenty, chosen by its digest."""
    held_out = [hashlib.sha256(text.encode()).digest()[0] % HELD_OUT == 0 for text in texts]
    pairs = list(zip(texts, held_out, strict=True))
    return [text for text, out in pairs if not out], [text for text, out in pairs if out]


def encode(texts: list[str]) -> Tensor:
    """Return one row of token ids, with an empty line between documents."""
    return torch.tensor(byte_tokenizer()("\n\n".join(texts))["input_ids"])


def digest_of(texts: list[str]) -> str:
    return hashlib.sha256("\n\n".join(texts).encode()).hexdigest()
