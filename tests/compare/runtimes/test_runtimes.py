"""Test a contract for every runtime, and the errors of unknown and missing ones."""

import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from compare.runtimes import registry
from compare.runtimes.registry import BASELINE, spec_of
from compare.runtimes.spec import Spec
from compare.testing import assert_attention_close
from export.cache import Entry
from export.errors import BadInput, CannotRun
from export.models import read_weights
from export.taps import run_tapped, tap_names
from tests.helpers.runtimes import LARGEST, every_runtime, loaded

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"

#: Extra of this project -> what it installs.
EXTRAS = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]


@every_runtime("inspect")
def test_contract_with_taps(spec: Spec, entry: Entry, ids_and_mask) -> None:
    """All runtimes give the same tensors with the same shapes and close values, and no query sees later keys.

    Each context equals the attention of the runtime's own query, key and value within rounding, a stricter test.
    """
    ids, mask = ids_and_mask
    runtime = loaded(spec, entry.folder, "inspect")
    found = runtime.run(ids, mask)
    expected = run_tapped(read_weights(entry.folder), torch.from_numpy(ids), torch.from_numpy(mask), "eager")
    names = tap_names(2, probabilities=spec.exposes == "every tap")
    assert list(found) == (["logits"] if spec.exposes == "logits" else names)
    real = mask.astype(bool)
    for name, tensor in found.items():
        assert isinstance(tensor, np.ndarray)
        assert tensor.dtype == np.float32
        theirs = expected[name].numpy()
        assert tensor.shape == theirs.shape, name
        rows = (lambda x: np.moveaxis(x, 2, 1)[real]) if tensor.ndim == 4 else (lambda x: x[real])
        np.testing.assert_allclose(rows(tensor), rows(theirs), atol=LARGEST[spec.precision], rtol=0, err_msg=name)
    for name in ("attention.0", "attention.1"):
        if name in found:
            assert np.abs(np.triu(found[name], k=1)).max() == 0
            assert np.abs(found[name][1, :, :9, 9:]).max() == 0
    for layer in range(2 if "query.0" in found and spec.precision == "float32" else 0):
        made_of = [found[f"{kind}.{layer}"] for kind in ("query", "key", "value")]
        assert_attention_close(found[f"context.{layer}"], *made_of, mask=real[:, None, None, :], causal=True)


@every_runtime("deploy")
def test_contract_for_latency(spec: Spec, entry: Entry, ids_and_mask) -> None:
    """Without taps, a run gives only the logits, the same at every call, for any batch and length."""
    ids, mask = ids_and_mask
    runtime = loaded(spec, entry.folder, "deploy")
    first, second = runtime.run(ids, mask), runtime.run(ids, mask)
    assert list(first) == ["logits"]
    assert first["logits"].shape == (2, 12, 300)
    np.testing.assert_array_equal(first["logits"], second["logits"])
    assert runtime.run(ids[:1, :5].copy(), mask[:1, :5].copy())["logits"].shape == (1, 5, 300)


@every_runtime("deploy-last")
def test_contract_of_the_last_position(spec: Spec, entry: Entry, ids_and_mask) -> None:
    """The logits of the last position equal those in the logits of all positions."""
    ids, mask = ids_and_mask
    deploy, last = (loaded(spec, entry.folder, graph).run(ids, mask) for graph in ("deploy", "deploy-last"))
    assert list(last) == ["logits"]
    np.testing.assert_allclose(last["logits"], deploy["logits"][:, -1:], atol=1e-5, rtol=0)


@every_runtime()
def test_contract_of_facts(spec: Spec, entry: Entry) -> None:
    facts = loaded(spec, entry.folder, spec.graphs[-1]).facts()
    assert facts["threads"] == "1"
    assert any(re.fullmatch(r"\d+\.\d+.*", value) for value in facts.values())  # some version


@every_runtime()
def test_contract_of_operators(spec: Spec, entry: Entry, ids_and_mask) -> None:
    """Operators are counted, and exposed taps prevent fusion; a runtime without a graph has none."""
    counts = {graph: loaded(spec, entry.folder, graph).operators(*ids_and_mask) for graph in spec.graphs}
    if spec.engine != "ONNX Runtime" or spec.name == "optimum":
        assert not any(counts.values())
        return
    assert {found.get("Softmax", 0) + found.get("Attention", 0) for found in counts.values()} == {2}
    assert sum(counts["deploy"].values()) > 20
    if spec.name == registry.GRAPH_RUNTIME:
        assert sum(counts["inspect"].values()) > sum(counts["deploy"].values())


def test_no_runtime_is_left_out_of_its_contract() -> None:
    for spec in registry.BUILT_IN:
        assert set(spec.graphs) <= set(registry.ALL_GRAPHS)
        assert "inspect" in spec.graphs or "decode" in spec.graphs
    assert spec_of(BASELINE).graphs == spec_of(registry.GRAPH_RUNTIME).graphs == registry.ALL_GRAPHS


@every_runtime()
def test_contract_of_the_listing(name: str) -> None:
    spec = spec_of(name)
    assert spec.summary
    assert spec.install.startswith(("pip install ", "python -m compare runtimes --install "))
    assert spec.environment is None or spec.install == f"python -m compare runtimes --install {spec.name}"
    assert spec.target.startswith("compare.runtimes.")
    if extra := re.fullmatch(r"pip install 'onnx-attention-compare\[(\w+)\]'", spec.install):
        brought = {re.split("[<>=]", line)[0] for line in EXTRAS[extra[1]]}
        assert brought & {package.partition(".")[0] for package in spec.requires}


def test_listing_imports_no_runtime() -> None:
    import subprocess

    code = "import sys; from compare.runtimes.registry import listing; listing(); print('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_an_unknown_runtime_has_near_matches() -> None:
    with pytest.raises(BadInput, match=r"unknown runtime 'torch-eagr'; did you mean torch-eager"):
        spec_of("torch-eagr")


def test_a_missing_runtime_says_what_installs_it() -> None:
    spec = Spec("ghost", "ghost:Ghost", "not there", ("no_such_package_9",), "pip install ghost")
    assert spec.missing() == ["no_such_package_9"]
    with pytest.raises(
        CannotRun, match=r"runtime ghost needs no_such_package_9 \(not installed\); install with: pip install ghost"
    ):
        spec.load_class()


def test_a_runtime_without_its_environment_says_what_makes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONNX_ATTENTION_COMPARE_CACHE", str(tmp_path))
    spec = spec_of("mnn")
    assert spec.missing() == ["MNN"]
    message = r"^runtime mnn needs MNN \(not installed\); install with: python -m compare runtimes --install mnn$"
    with pytest.raises(CannotRun, match=message):
        spec.check_installed()
    assert spec.python == str(tmp_path / "environments" / "mnn" / "bin" / "python")
    assert spec_of(BASELINE).python == sys.executable
