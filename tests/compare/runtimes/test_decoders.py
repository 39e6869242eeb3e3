"""Test that every decoder gives the same logits step by step as in one pass over the whole text."""

from pathlib import Path

import numpy as np
import pytest

from compare.latency import decoding
from compare.runtimes import registry
from compare.runtimes.registry import BASELINE, spec_of
from compare.runtimes.spec import Runtime, Spec
from export.cache import Entry
from export.exporting import exported
from tests.helpers.runtimes import LARGEST, decoded, every_runtime, loaded


@pytest.fixture
def deployed(spec: Spec, entry: Entry) -> Runtime:
    """The runtime's own forward pass; the baseline's for a runtime that only decodes."""
    return loaded(spec if "deploy" in spec.graphs else spec_of(BASELINE), entry.folder, "deploy")


@pytest.fixture
def atol(spec: Spec) -> float:
    """The largest difference between decoding and one pass."""
    return 1e-5 if spec.precision == "float32" else LARGEST[spec.precision]


@every_runtime("decode")
def test_contract_of_decoding(spec: Spec, entry: Entry, deployed: Runtime, atol: float, ids_and_mask) -> None:
    """Decoding gives the logits of one pass at all real positions, for any prefill and batch."""
    ids, mask = ids_and_mask
    expected = deployed.run(ids, mask)["logits"]
    runtime = loaded(spec, entry.folder, "decode")
    for prefill in (1, 5, 6):
        found = decoded(runtime, ids, mask, prefill)
        np.testing.assert_allclose(found[mask == 1], expected[mask == 1], atol=atol, rtol=0)
    found = decoded(runtime, ids[:1], mask[:1], 4)
    np.testing.assert_allclose(found, expected[:1], atol=atol, rtol=0)


@every_runtime("decode")
def test_contract_of_several_positions_a_step(
    spec: Spec, entry: Entry, deployed: Runtime, atol: float, ids_and_mask
) -> None:
    """The rest of a text can be decoded in one call, and no position sees later ones."""
    ids, mask = ids_and_mask
    expected = deployed.run(ids, mask)["logits"]
    found = decoding.follow(loaded(spec, entry.folder, "decode"), ids, mask, prefill=3, steps=2)
    np.testing.assert_allclose(found[mask == 1], expected[mask == 1], atol=atol, rtol=0)


@every_runtime("decode")
def test_contract_of_generation(spec: Spec, entry: Entry, deployed: Runtime, atol: float) -> None:
    """Each token is the most likely one after the prompt and the tokens before it, and each has a time."""
    prompt = np.array([[5, 9, 200, 31, 8], [17, 2, 2, 40, 299]])
    found = decoding.generate(loaded(spec, entry.folder, "decode"), prompt, 4)
    assert found["prefill_ns"] > 0
    assert len(found["ns"]) == 3
    assert min(found["ns"]) > 0
    tokens = np.array(found["tokens"])
    text = np.concatenate([prompt, tokens], axis=1)
    logits = deployed.run(text, np.ones_like(text))["logits"][:, prompt.shape[1] - 1 : -1]
    chosen = np.take_along_axis(logits, tokens[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(chosen, logits.max(axis=-1), atol=2 * atol, rtol=0)


@every_runtime("decode")
def test_contract_of_a_new_prefill(spec: Spec, entry: Entry, ids_and_mask) -> None:
    """A prefill empties the cache: later steps give the same bits, whatever was decoded before."""
    ids, mask = ids_and_mask
    runtime = loaded(spec, entry.folder, "decode")
    first = decoded(runtime, ids, mask, 5)
    decoded(runtime, ids[:1, ::-1], mask[:1], 3)
    np.testing.assert_array_equal(decoded(runtime, ids, mask, 5), first)


@pytest.mark.optimum
def test_what_optimum_exports_is_decoded(tiny_folder: Path, entry: Entry, ids_and_mask) -> None:
    ids, mask = ids_and_mask
    folder = exported(str(tiny_folder), exporter="optimum").folder
    expected = loaded(spec_of(BASELINE), entry.folder, "deploy").run(ids, mask)["logits"]
    for name in (registry.GRAPH_RUNTIME, "optimum"):
        found = decoded(loaded(spec_of(name), folder, "decode"), ids, mask, 5)
        np.testing.assert_allclose(found[mask == 1], expected[mask == 1], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("name", "right"), [("ahead", 5), ("stale", 6)])
def test_planted_faults_are_in_the_steps_alone(
    fake_runtimes, entry: Entry, ids_and_mask, name: str, right: int
) -> None:
    """The decoder is right in a prefill of 5 of 12 positions and in some steps, then wrong; other tests rely on it."""
    ids, mask = ids_and_mask[0], np.ones_like(ids_and_mask[1])
    expected = loaded(spec_of(BASELINE), entry.folder, "deploy").run(ids, mask)["logits"]
    runtime = loaded(spec_of(name), entry.folder, "decode")
    for _ in range(2):
        wrong = np.abs(decoded(runtime, ids, mask, 5) - expected).max(axis=(0, 2))
        assert wrong[:right].max() < 1e-5
        assert wrong[right:].min() > 1e-4
    whole = loaded(spec_of(name), entry.folder, "deploy").run(ids, mask)
    np.testing.assert_array_equal(whole["logits"], expected)
