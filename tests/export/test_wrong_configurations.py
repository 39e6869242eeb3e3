"""Test that a configuration, or a file that is read with it, that no model has is one line before memory is taken."""

import errno
import json
import os
from pathlib import Path

import pytest

from export import memory
from export.configuration import configuration_of, read_configuration
from export.errors import BadInput, CannotRun
from tests.helpers.refused import BEFORE_5, edited, refusal

#: Changes of a GPT-2's configuration -> what the message says. None as the value of a setting is JSON's null.
WRONG = [
    ({"n_layer": "four"}, "config.json: n_layer is 'four'; it must be a whole number from 1 to 1,000; save the model"),
    ({"n_layer": None}, "n_layer is None; it must be a whole number"),
    ({"n_layer": 1.5}, "n_layer is 1.5; it must be a whole number"),
    ({"n_layer": 2.0}, "n_layer is 2.0; it must be a whole number"),
    ({"n_layer": 0}, "n_layer is 0; it must be a whole number from 1"),
    ({"n_layer": -1}, "n_layer is -1;"),
    ({"n_layer": True}, "n_layer is True;"),
    ({"n_layer": [2]}, r"n_layer is [2];"),
    ({"n_layer": 10**9}, "n_layer is 1000000000; it must be a whole number from 1 to 1,000"),
    ({"num_hidden_layers": 10**30}, "num_hidden_layers is 1000000000000000000000000000000;"),
    ({"n_head": 0}, "n_head is 0;"),
    ({"n_head": 5}, "cannot be built from its config.json: `embed_dim` must be divisible by num_heads"),
    ({"n_embd": 0}, "n_embd is 0;"),
    ({"n_embd": 10**12}, "n_embd is 1000000000000;"),
    ({"vocab_size": 10**12}, "vocab_size is 1000000000000; it must be a whole number from 1 to 2,147,483,647"),
    ({"vocab_size": "x" * 10**6}, "vocab_size is 'xxxxx"),
    ({"num_labels": 10**9}, "num_labels is 1000000000;"),
    ({"layer_norm_epsilon": "1e-5"}, "layer_norm_epsilon is '1e-5'; it must be a number from 0 to 1;"),
    ({"layer_norm_epsilon": float("nan")}, "layer_norm_epsilon is nan;"),
    ({"layer_norm_epsilon": float("inf")}, "layer_norm_epsilon is inf;"),
    ({"attn_pdrop": 2}, "attn_pdrop is 2; it must be a number from 0 to 1;"),
    ({"n_inner": -5}, "n_inner is -5;"),
    ({"dtype": "float99"}, "dtype is 'float99'; it must be one of auto, float64,"),
    ({"torch_dtype": "float99"}, "torch_dtype is 'float99'; it must be one of auto, float64,"),
    ({"torch_dtype": 32}, "torch_dtype is 32; it must be the name of a type;"),
    ({"architectures": {}}, "architectures is {}; it must be a list of names;"),
    ({"architectures": [1]}, r"architectures is [1]; it must be a list of names;"),
    ({"is_decoder": "yes"}, "is_decoder is 'yes'; it must be true or false;"),
    ({"quantization_config": []}, r"quantization_config is []; it must be an object;"),
    (
        {"quantization_config": {"quant_method": "magic"}},
        "quantization_config.quant_method is 'magic'; it must be one of ",
    ),
    ({"quantization_config": {"quant_method": ["gptq"]}}, r"quantization_config.quant_method is ['gptq']; "),
    ({"quantization_config": {"quant_method": "gptq", "bits": 5}}, "cannot be loaded"),
    ({"rope_scaling": "linear"}, "rope_scaling is 'linear'; it must be an object;"),
    ({"rope_scaling": {"rope_type": 1}}, "rope_scaling.rope_type is 1; it must be a text;"),
    ({"rope_scaling": {"rope_type": "linear", "factor": "x"}}, "rope_scaling.factor is 'x'; it must be a number"),
    ({"rope_parameters": {"full_attention": {"rope_theta": -1}}}, "rope_parameters.full_attention.rope_theta is -1;"),
    ({"text_config": {"num_hidden_layers": 10**9}}, "text_config.num_hidden_layers is 1000000000;"),
    ({"text_config": 3}, "text_config is 3; it must be an object;"),
    ({"id2label": [1]}, r"id2label is [1]; it must be an object;"),
    ({"model_type": None}, 'has no model_type; add it, such as "model_type": "gpt2"'),
    ({"model_type": 2}, "model_type is 2; it must be a text;"),
    ({"model_type": "gtp2"}, "its model_type is 'gtp2', which transformers "),
    ({"model_type": "gtp2"}, "; did you mean gpt2"),
    ({"model_type": "unheard", "auto_map": {"AutoConfig": "x.C"}}, "the code that it brings (auto_map) is never run"),
    ({"model_type": "vit"}, "models of type vit are neither causal language models nor encoders of text;"),
    ({"model_type": "t5"}, "is an encoder-decoder"),
    ({"to_diff_dict": None}, "config.json sets 'to_diff_dict', which is not a setting; remove it"),
    ({"__class__": "x"}, "config.json sets '__class__', which is not a setting"),
    ({"use_return_dict": True}, "transformers cannot use its config.json: "),
    *([({"problem_type": "guess"}, "transformers cannot use its config.json: ")] if BEFORE_5 else []),
    ({"n_positions": 10**9}, "256.0 GB of memory, and "),
    ({"vocab_size": 2**31 - 1, "n_embd": 4096, "n_head": 64}, " GB of memory, and "),
    ({"activation_function": "magic"}, "cannot be built from its config.json: KeyError: 'magic'"),
    (
        {"vocab_size": 301},
        "do not fit its config.json in 1 tensors: transformer.wte.weight has shape (300, 64), and the ",
    ),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_a_setting_that_no_model_has(folder: Path, change: dict[str, object], message: str) -> None:
    edited(folder / "config.json", change)
    assert message in refusal(str(folder))


#: Contents of config.json -> what the message says.
CONTENTS = [
    (b"", "config.json cannot be read: it is not JSON: Expecting value"),
    (b"{", "it is not JSON: "),
    (b"[]", "it holds a JSON list, not an object; save the model again with save_pretrained"),
    (b"null", "it holds a JSON NoneType, not an object"),
    (b"\xff\xfe{}", "it is not UTF-8 text (byte 0)"),
    (b"\xef\xbb\xbf{}", "it is not JSON: Unexpected UTF-8 BOM"),
    (b"\0\0", "it is not JSON: "),
    (b"[" * 10**5, "it is nested too deeply"),
    (b'{"a": ' * 10**5, "it is nested too deeply"),
    (b'{"n_layer": ' + b"9" * 5000 + b"}", "it is not JSON: Exceeds the limit"),
]


@pytest.mark.parametrize(("content", "message"), CONTENTS)
def test_a_configuration_that_is_no_object(folder: Path, content: bytes, message: str) -> None:
    (folder / "config.json").write_bytes(content)
    assert message in refusal(str(folder))


def test_settings_that_are_nested_deeply(folder: Path) -> None:
    """Python can parse 900 levels, but libraries that walk through them may not have as many frames left."""
    content = json.loads((folder / "config.json").read_text())
    nested: dict[str, object] = {}
    for _ in range(900):
        nested = {"text_config": nested}
    (folder / "config.json").write_text(json.dumps(content | nested | {"model_type": "gpt2"}))
    refusal(str(folder))


def with_sparse(path: Path) -> None:
    path.unlink()
    with path.open("wb") as file:
        file.truncate(2**30)


#: What stands in the place of a file -> what the message says.
PLACES = [
    (with_sparse, " cannot be read: "),
    (lambda path: (path.unlink(), path.mkdir()), "it is a folder, not a regular file"),
    (lambda path: (path.unlink(), path.symlink_to(path)), "its links lead back to themselves"),
    (lambda path: (path.unlink(), path.symlink_to("/dev/zero")), "it is a device, not a regular file"),
    (lambda path: (path.unlink(), os.mkfifo(path)), "it is a pipe, not a regular file"),
    (lambda path: (path.unlink(), path.symlink_to("gone")), "it does not exist"),
]


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "model.safetensors"])
@pytest.mark.parametrize(("place", "message"), PLACES)
def test_only_regular_files_are_read(folder: Path, place, message: str, name: str) -> None:
    place(folder / name)
    said = refusal(str(folder))
    assert message in said
    assert name in said


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_return_sequences": 3}, "generation_config.json cannot be used: Greedy methods"),
        ({"watermarking_config": {"seeding_scheme": 5}}, "generation_config.json cannot be used: "),
    ],
)
def test_settings_of_generation_that_cannot_be_read(folder: Path, settings: dict[str, object], message: str) -> None:
    edited(folder / "generation_config.json", settings)
    said = refusal(str(folder))
    assert message in said
    assert "remove it, or save the model again" in said


def test_settings_of_generation_that_contradict_each_other_are_not_needed(folder: Path, tmp_path: Path) -> None:
    """transformers refuses to save these."""
    from export.graphs import _save
    from export.models import read_weights

    edited(folder / "generation_config.json", {"do_sample": False, "temperature": 0.5})
    model = read_weights(folder)
    own = model.generation_config
    _save(model, tmp_path / "saved")
    assert (tmp_path / "saved" / "model.safetensors").is_file()
    assert model.generation_config is own


def test_a_model_that_does_not_fit_is_refused_by_a_number(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 100_000)
    message = refusal(str(folder), CannotRun)
    assert message.startswith(f"the model in {folder} needs about 0.0 GB of memory, and 0.0 GB are free; close other")


def test_positions_take_memory_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before transformers 5, GPT-2 makes a mask of positions x positions in each layer, which no file has."""
    edited(folder / "config.json", {"n_positions": 40_000})
    monkeypatch.setattr(memory, "available_bytes", lambda: 2 * 10**9)
    if BEFORE_5:
        assert "needs about 3.2 GB of memory, and 2.0 GB are free" in refusal(str(folder), CannotRun)
    else:
        assert "transformer.wpe.weight has shape (64, 64), and the model (40000, 64)" in refusal(str(folder), BadInput)


def test_what_is_read_is_what_is_there(folder: Path) -> None:
    assert read_configuration(folder)["n_layer"] == 2
    assert configuration_of(folder).num_hidden_layers == 2


def test_a_file_that_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(BadInput, match=r"config\.json cannot be read: permission denied; save the model again"):
        read_configuration(folder)
