"""The notebook is committed with the outputs of its present code, and is small enough for a page that shows it.

`make test` also executes it, with nbmake.
"""

import nbformat
import pytest

from benchmarks.handoff import NOTEBOOK, ROOT
from benchmarks.notebook import DIGEST, code_digest

MENDED = "run: make notebook"


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(ROOT / NOTEBOOK, as_version=4)


def test_the_outputs_are_those_of_the_present_code(notebook) -> None:
    assert notebook.metadata[DIGEST] == code_digest(notebook), MENDED
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), MENDED


def test_no_cell_has_warned_or_failed(notebook) -> None:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert outputs
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


def test_it_has_at_most_2_mb() -> None:
    assert (ROOT / NOTEBOOK).stat().st_size < 2e6


def test_it_names_no_path_of_the_machine_that_ran_it() -> None:
    text = (ROOT / NOTEBOOK).read_text()
    assert str(ROOT) not in text
    assert "/home/" not in text
    assert "/tmp/" not in text
