"""Test that differences between a checkpoint and the compared model are reported or refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from export.checkpoint import Checkpoint
from export.errors import BadInput
from export.exporting import exported
from export.models import checkpoint_noted, load, load_exported, read_weights
from export.sources import find

Tensors = dict[str, Tensor]


@pytest.fixture
def save(tiny_saved, tmp_path: Path):
    """A function that saves a tiny model with changed tensors or changed fields of the configuration."""
    from safetensors.torch import load_file, save_file

    def save(change: Callable[[Tensors], Tensors] = lambda tensors: tensors, model: str = "gpt2", **config) -> Path:
        folder = shutil.copytree(tiny_saved(model), tmp_path / "model")
        tensors = change(load_file(folder / "model.safetensors"))
        tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        content = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(content | config))
        return folder

    return save


def checkpoint(folder: Path) -> Checkpoint:
    return checkpoint_noted(load(find(str(folder))))


def masks(tensors: Tensors) -> Tensors:
    """Return the tensors together with causal masks, as in distilgpt2's file on the hub."""
    buffers = {f"transformer.h.{i}.attn.bias": torch.ones(1, 1, 64, 64).tril() for i in range(2)}
    return tensors | buffers | {f"transformer.h.{i}.attn.masked_bias": torch.tensor(-1e4) for i in range(2)}


def test_a_checkpoint_in_float32_that_is_used_whole_has_nothing_to_say(tiny_folder: Path) -> None:
    assert checkpoint(tiny_folder) == Checkpoint()


def test_causal_masks_are_no_loss(save, tiny) -> None:
    folder = save(masks)
    assert checkpoint(folder) == Checkpoint()
    assert torch.equal(read_weights(folder).lm_head.weight, tiny().lm_head.weight)


def test_rotary_frequencies_are_no_loss(save) -> None:
    folder = save(lambda tensors: tensors | {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8)}, "llama")
    assert checkpoint(folder) == Checkpoint()


def test_tensors_that_the_model_does_not_use_are_named(save) -> None:
    folder = save(lambda tensors: tensors | {"score.weight": torch.ones(2, 64), "transformer.h.7.x": torch.ones(1)})
    found = checkpoint(folder)
    assert found == Checkpoint(dropped=["score.weight", "transformer.h.7.x"])
    assert found.notes() == [
        "the compared model does not use 2 tensors of the checkpoint: score.weight, transformer.h.7.x"
    ]


def test_a_bias_that_the_architecture_has_not_is_no_mask(save) -> None:
    """The file has attention biases, but the configuration of the model has none."""
    name = "model.layers.1.self_attn.q_proj.bias"
    assert checkpoint(save(lambda tensors: tensors | {name: torch.ones(64)}, "llama")).dropped == [name]


def test_a_tensor_that_only_an_index_places_is_seen(tiny, tmp_path: Path) -> None:
    """The tensor is in a separate file, and transformers does not use it."""
    from safetensors.torch import save_file

    tiny().save_pretrained(tmp_path, max_shard_size="100KB")
    save_file({"score.weight": torch.ones(2, 64)}, tmp_path / "more.safetensors", metadata={"format": "pt"})
    index = tmp_path / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"]["score.weight"] = "more.safetensors"
    index.write_text(json.dumps(content))
    assert checkpoint(tmp_path).dropped == ["score.weight"]


def test_a_head_of_its_own_that_is_tied_away_is_named(save) -> None:
    """The configuration ties the head to the embedding, so a different head in the file is not used."""
    same = save(lambda tensors: tensors | {"lm_head.weight": tensors["transformer.wte.weight"].clone()})
    assert checkpoint(same) == Checkpoint()
    shutil.rmtree(same)
    other = save(lambda tensors: tensors | {"lm_head.weight": tensors["transformer.wte.weight"] + 1})
    weights = read_weights(other)
    tied = weights.lm_head.weight is weights.transformer.wte.weight
    assert checkpoint(other).dropped == (["lm_head.weight"] if tied else [])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_another_precision_is_said(save, dtype: torch.dtype) -> None:
    folder = save(lambda tensors: {name: tensor.to(dtype) for name, tensor in tensors.items()})
    found = checkpoint(folder)
    name = str(dtype).removeprefix("torch.")
    exact = dtype is not torch.float64
    how = "widened to float32, which is exact" if exact else "converted to float32, which may have rounded them"
    assert found.notes() == [f"the checkpoint's weights are {name}; they were {how}"]
    assert {parameter.dtype for parameter in read_weights(folder).parameters()} == {torch.float32}


def test_several_precisions_are_said(save) -> None:
    def change(tensors: Tensors) -> Tensors:
        return masks(tensors) | {name: tensors[name].half() for name in tensors if "mlp" in name}

    assert checkpoint(save(change)).types == ["float16", "float32"]


def test_a_mask_of_another_type_is_no_precision(save) -> None:
    def change(tensors: Tensors) -> Tensors:
        return tensors | {"transformer.h.0.attn.bias": torch.ones(1, 1, 64, 64, dtype=torch.bool).tril()}

    assert checkpoint(save(change)) == Checkpoint()


@pytest.mark.parametrize("name", ["GPT2ForSequenceClassification", "GPT2DoubleHeadsModel"])
def test_another_architecture_is_refused_with_what_can_be_compared(tiny, tmp_path: Path, name: str) -> None:
    import transformers

    folder = tmp_path / "classifier"
    getattr(transformers, name)(tiny().config).save_pretrained(folder)
    head = {"GPT2ForSequenceClassification": "score.weight"}.get(name, "multiple_choice_head.summary.bias")
    with pytest.raises(
        BadInput, match=rf"is a {name}, not a causal language model; as GPT2LMHeadModel it loses"
    ) as error:
        read_weights(folder)
    message = str(error.value)
    assert head in message
    command = message.partition('python -c "')[2].removesuffix('"')
    exec(command)
    assert checkpoint(tmp_path / "classifier-causal") == Checkpoint()


def test_another_architecture_without_a_language_model_in_it(tiny_saved, tmp_path: Path) -> None:
    from transformers import AutoConfig, LlamaForSequenceClassification

    LlamaForSequenceClassification(AutoConfig.from_pretrained(tiny_saved("llama"))).save_pretrained(tmp_path)
    message = r"a LlamaForSequenceClassification, not a .* it loses 1 tensor of the checkpoint: score\.weight\. Its"
    with pytest.raises(BadInput, match=message + r" language model .*: the checkpoint has no lm_head\.weight"):
        read_weights(tmp_path)


def test_a_model_without_its_head_is_compared_where_the_head_is_tied(tiny, tmp_path: Path) -> None:
    tiny().transformer.save_pretrained(tmp_path)
    found = checkpoint(tmp_path)
    assert found.notes() == ["config.json names GPT2Model; the model is compared as GPT2LMHeadModel"]
    assert torch.equal(read_weights(tmp_path).lm_head.weight, tiny().lm_head.weight)


def test_a_model_without_its_head_is_refused_where_it_is_missing(tiny, tmp_path: Path) -> None:
    tiny("llama").model.save_pretrained(tmp_path)
    with pytest.raises(BadInput, match=r"lack 1 tensors of the model, first lm_head\.weight"):
        read_weights(tmp_path)


@pytest.mark.parametrize("architectures", [None, [], "GPT2LMHeadModel", ["GPT2LMHeadModel"]])
def test_a_configuration_that_names_no_other_architecture(save, architectures: object) -> None:
    assert checkpoint(save(architectures=architectures)) == Checkpoint()


def test_a_causal_architecture_of_another_name_is_said(save) -> None:
    found = checkpoint(save(architectures=["GPT2CustomForCausalLM"]))
    assert found.notes() == ["config.json names GPT2CustomForCausalLM; the model is compared as GPT2LMHeadModel"]


def test_what_is_to_be_said_is_kept_with_what_was_exported(save, tmp_path: Path) -> None:
    """The facts are known when the checkpoint is read. Later runs read only the cache entry."""
    folder = save(lambda tensors: {n: t.half() for n, t in tensors.items()} | {"score.weight": torch.ones(2, 64)})
    root = tmp_path / "cache"
    first, again = (exported(str(folder), cache_dir=root) for _ in range(2))
    assert first.manifest.checkpoint == Checkpoint(types=["float16"], dropped=["score.weight"])
    assert again.notes == first.notes != []
    from_cache = load_exported(first.folder, first.manifest.source, first.manifest.checkpoint)
    assert checkpoint_noted(from_cache) == first.manifest.checkpoint
