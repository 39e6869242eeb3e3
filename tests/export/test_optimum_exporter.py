"""Test that the graphs of the exporter optimum compute the model, and that they are cut and cached like dynamo's."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export.cache import Entry
from export.errors import CannotRun
from export.exporting import entry_key, exported
from export.folded_weights import FOLDED
from export.graphs import GRAPHS
from export.optimum_exporter import export_decode, export_inspect
from export.taps import run_tapped
from export.weights_file import WEIGHTS
from tests.helpers.graphs import RunnableGraph, run_graph

pytestmark = pytest.mark.optimum

EXPOSED = [*(f"hidden_state.{i}" for i in range(2)), *(f"attention.{i}" for i in range(2))]


@pytest.fixture(scope="module")
def optimum_entry(tiny_export) -> Entry:
    return tiny_export(exporter="optimum")


@pytest.mark.parametrize("model_type", ["gpt2", "llama", "mistral", "qwen2", "qwen3"])
def test_the_graph_computes_the_model(tiny, tiny_export, ids_and_mask, model_type: str) -> None:
    folder = tiny_export(model_type, "optimum").folder
    ids, mask = ids_and_mask
    expected = run_tapped(tiny(model_type), torch.from_numpy(ids), torch.from_numpy(mask), "eager")
    found = run_graph(folder, "inspect.onnx", ids, mask)
    assert list(found) == ["logits", *EXPOSED]
    for name, tensor in found.items():
        real = mask.astype(bool) if name != f"attention.{name[-1]}" else np.s_[:1]
        np.testing.assert_allclose(tensor[real], expected[name].numpy()[real], atol=2e-4, rtol=0, err_msg=name)
    decode = RunnableGraph(folder / "decode.onnx")
    for prefill in (1, 5, 6):
        logits = decode.decode(ids, mask, prefill)
        np.testing.assert_allclose(logits[mask == 1], found["logits"][mask == 1], atol=1e-5, rtol=0)


def test_the_cuts_differ_in_what_they_expose_alone(optimum_entry: Entry, ids_and_mask) -> None:
    inspect, deploy, last, _ = (run_graph(optimum_entry.folder, graph, *ids_and_mask) for graph in GRAPHS)
    assert list(deploy) == list(last) == ["logits"]
    np.testing.assert_allclose(deploy["logits"], inspect["logits"], atol=1e-5)
    np.testing.assert_allclose(last["logits"], deploy["logits"][:, -1:], atol=1e-5)


def test_all_weights_lie_in_files_that_the_graphs_share(optimum_entry: Entry) -> None:
    for graph in GRAPHS:
        model = onnx.load(optimum_entry.folder / graph, load_external_data=False)
        places = [tensor.external_data[0].value for tensor in model.graph.initializer if tensor.external_data]
        assert places.count(WEIGHTS) >= 10  # the matrices of two layers, without the head
        assert set(places) <= {WEIGHTS, FOLDED}
        assert (optimum_entry.folder / graph).stat().st_size < 250_000
        assert b"site-packages" not in (optimum_entry.folder / graph).read_bytes()


def test_each_exporter_has_an_entry_of_its_own(optimum_entry: Entry, entry: Entry, tiny_folder: Path) -> None:
    assert optimum_entry.folder != entry.folder
    assert optimum_entry.manifest.exporter == "optimum"
    assert optimum_entry.manifest.opset != entry.manifest.opset
    assert "optimum-onnx" in optimum_entry.manifest.versions
    assert exported(str(tiny_folder), exporter="optimum") == optimum_entry
    assert exported(str(tiny_folder)) == entry
    source = entry.manifest.source
    assert entry_key(source, "optimum") != entry_key(source, "dynamo")


def test_nothing_of_the_export_is_left_behind(optimum_entry: Entry) -> None:
    assert not [path for path in optimum_entry.folder.iterdir() if path.name.startswith(".")]


def test_from_the_command_line(tiny_folder: Path, optimum_entry: Entry) -> None:
    command = [sys.executable, "-m", "export", "--exporter", "optimum", str(tiny_folder)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, f"{optimum_entry.folder}\n"), run.stderr


def test_an_architecture_that_optimum_does_not_know(tiny, tmp_path: Path) -> None:
    model = tiny()
    model.save_pretrained(tmp_path)
    model.config.model_type = "unheard-of"
    for export, task in ((export_inspect, "text-generation"), (export_decode, "text-generation-with-past")):
        with pytest.raises(CannotRun, match=f"optimum cannot export models of type 'unheard-of' for {task}: "):
            export(model, tmp_path)


def test_optimum_cannot_be_imported(tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """optimum-onnx is installed next to a version of transformers that it does not allow."""
    monkeypatch.setitem(sys.modules, "optimum.exporters.onnx", None)
    said = "the exporter optimum cannot be imported: import of optimum.exporters.onnx halted; None in sys.modules; "
    with pytest.raises(CannotRun, match=f"^{said}install versions that fit together with: pip install "):
        export_inspect(tiny(), tmp_path)
