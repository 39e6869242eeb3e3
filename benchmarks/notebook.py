"""Execute the notebook and save it with its outputs: `make notebook`.

Its metadata gets a digest of its code cells. A test compares the two, so that outputs never belong to older code.
"""

import hashlib
import json
import os
import sys
from typing import Any

import nbformat
from nbclient import NotebookClient

from benchmarks.handoff import NOTEBOOK, ROOT

#: The key of the digest in the notebook's metadata.
DIGEST = "code_sha256"


def main() -> None:
    """Execute the notebook. If a cell fails, the file stays as it is and the exit code is 1."""
    path = ROOT / NOTEBOOK
    notebook = nbformat.read(path, as_version=4)
    print(f"executing {NOTEBOOK}", file=sys.stderr)
    os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"  # tqdm's advice to install ipywidgets
    NotebookClient(notebook, resources={"metadata": {"path": path.parent}}, on_cell_start=_say).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when the cell ran, which differs each time
    notebook.metadata[DIGEST] = code_digest(notebook)
    nbformat.write(notebook, path)
    print(f"{NOTEBOOK}: {path.stat().st_size / 1e6:.2f} MB")


def code_digest(notebook: Any) -> str:
    """Return the SHA-256 of the sources of a notebook's code cells.

    >>> from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
    >>> text, code = new_markdown_cell("Load"), new_code_cell("1 + 1")
    >>> code_digest(new_notebook(cells=[text, code])) == code_digest(new_notebook(cells=[code]))
    True
    """
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def _say(cell: Any, cell_index: int) -> None:
    if cell.cell_type == "code":
        print(f"cell {cell_index}: {cell.source.splitlines()[0]}", file=sys.stderr)


if __name__ == "__main__":
    main()
