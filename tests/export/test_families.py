"""Test every family of models: what is tapped, that it replays, the verdict on ONNX Runtime, decoding, and faults."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

from export import dynamo
from export.attention import graph_attention
from export.graphs import write_graphs
from export.layout import Layout
from export.probe import layout_of
from export.taps import run_tapped
from tests.helpers.families import FAMILIES, family_model, inputs, scales_of, verdict_of
from tests.helpers.family_table import measured, row_of, saved_row
from tests.helpers.graphs import run_graph

#: The families whose structure differs most; the others are slow tests.
DIFFERENT = ("BLOOM", "Gemma 2", "GPT-OSS")

EVERY = [pytest.param(name, marks=() if name in DIFFERENT else pytest.mark.slow) for name in FAMILIES]


@pytest.mark.parametrize("family", EVERY)
def test_a_family_is_compared(family: str, tmp_path: Path) -> None:
    """The graph exposes every tap, golden replays as itself, and ONNX Runtime computes the same model, as docs say."""
    found = measured(family, tmp_path)
    assert row_of(family, found) == saved_row(family)
    if found is None:
        return
    assert found.graph == found.names
    assert found.ruler
    assert found.replayed
    assert found.verdict.kind == "rounding", found.verdict
    assert found.decodes is not False
    assert found.last is not False


#: Family, the parameter that is scaled by 1 %, and the place that the verdict must name.
FAULTS = [
    ("GPT-J", "transformer.h.1.attn.v_proj.weight", "norm and projections to query, key, value"),
    ("BLOOM", "transformer.h.1.self_attention.query_key_value.weight", "norm and projections to query, key, value"),
    ("GPT-NeoX", "gpt_neox.layers.1.mlp.dense_h_to_4h.weight", "output projection or norm and MLP"),
    ("Falcon", "transformer.h.1.self_attention.dense.weight", "output projection or norm and MLP"),
    ("Gemma 2", "model.layers.1.post_feedforward_layernorm.weight", "norm and MLP"),
    ("GPT-OSS", "model.layers.1.self_attn.sinks", "attention"),
]


@pytest.mark.parametrize(("family", "parameter", "place"), FAULTS)
def test_a_fault_is_found_in_its_layer(family: str, parameter: str, place: str, tmp_path: Path) -> None:
    model = family_model(family)
    model.save_pretrained(tmp_path)
    scales = scales_of(tmp_path)
    scales.make_golden()
    with torch.no_grad():
        model.get_parameter(parameter).mul_(1.01)
    run = run_tapped(model, *scales.tensors, graph_attention)
    verdict = verdict_of(scales, {name: tensor.numpy() for name, tensor in run.items()}, tmp_path / "run")
    assert verdict.kind == "different"
    assert verdict.place.startswith(f"layer 1, {place}")


class Opaque(PreTrainedModel):
    """A model that has no layers: it adds up the embeddings of all tokens so far."""

    config_class = PretrainedConfig

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__(config)
        self.table = torch.nn.Embedding(300, 16)
        self.head = torch.nn.Linear(16, 300)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> CausalLMOutput:
        return CausalLMOutput(logits=self.head((self.table(input_ids) * attention_mask[..., None]).cumsum(1)))


def test_a_model_without_layers_is_compared_on_its_logits(tmp_path: Path) -> None:
    """Its graphs compute it, and the notes say what is not compared."""
    model = Opaque(PretrainedConfig()).eval()
    assert layout_of(model) == Layout()
    assert layout_of(model).notes() == ["compared on logits: nothing inside the model is exposed"]
    written = write_graphs(model, tmp_path, "opaque", dynamo)
    assert written.notes == ["decoding is left out: models of type '' have no cache of keys and values"]
    ids, mask = inputs()
    found = run_graph(tmp_path, "inspect.onnx", ids, mask)
    expected = run_tapped(model, torch.from_numpy(ids), torch.from_numpy(mask), graph_attention)
    assert list(found) == list(expected) == ["logits"]
    np.testing.assert_allclose(found["logits"], expected["logits"].numpy(), atol=1e-5)


def test_fused_attention_that_is_not_replaced_has_no_probabilities() -> None:
    """Asking Falcon for them would make it compute its eager attention."""
    model = family_model("Falcon")
    model.config._attn_implementation = "sdpa"
    ids, mask = map(torch.from_numpy, inputs())
    found = run_tapped(model, ids, mask, "sdpa")
    assert list(found) == layout_of(model).names(probabilities=False)
