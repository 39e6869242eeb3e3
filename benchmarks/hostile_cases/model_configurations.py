"""The config.json of a model: values that no model has, code, and files that are no JSON."""

import json
from collections.abc import Iterator

from benchmarks.hostile_cases.case import Case, mechanism
from benchmarks.hostile_cases.common import NOT_JSON
from benchmarks.hostile_cases.files import after, file
from benchmarks.hostile_cases.tiny_models import BERT, CONFIG, GPT2, LLAMA, MODEL, model

#: A module that a configuration names, and that must not be run.
_EVIL = "from pathlib import Path\nPath('ran').touch()\nraise SystemExit\n"


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _a_value_of_another_type()
    yield from _a_number_out_of_range()
    yield from _very_large_numbers()
    yield from _unknown_names()
    yield from _rotary_positions()
    yield from _quantization()
    yield from _names_of_python_s_own()
    yield from _code_from_the_model()
    yield from _no_json_object()


def _a_value_of_another_type() -> Iterator[Case]:
    of = mechanism("configuration: a value of another type", fast=True)
    for base, key, values in (
        (GPT2, "n_layer", ("four", None, 1.5, [1], {}, True)),
        (GPT2, "n_head", ("two", None, 2.5)),
        (GPT2, "n_embd", ("16", None, [16])),
        (GPT2, "vocab_size", ("many", None)),
        (GPT2, "n_positions", ("32", None)),
        (GPT2, "layer_norm_epsilon", ("small", None, [])),
        (GPT2, "activation_function", (5, None, [])),
        (GPT2, "model_type", (5, None, [], {}, "")),
        (GPT2, "attn_pdrop", ("x",)),
        (LLAMA, "rope_theta", ("x", [])),
        (LLAMA, "rope_scaling", ("x", 5)),
        (LLAMA, "num_key_value_heads", ("one", 1.5)),
        (LLAMA, "head_dim", ("x", 1.5)),
        (LLAMA, "hidden_act", (None, 5)),
        (BERT, "num_hidden_layers", ("one", 0.5)),
        (BERT, "type_vocab_size", ("two",)),
    ):
        for value in values:
            name = f"{base['model_type']} {key} {json.dumps(value)}"
            codes = (0, 2, 3) if (key, value) in (("n_layer", True), ("rope_theta", "x")) else (2, 3)
            yield of(name, "export", MODEL, make=model({key: value}, base), codes=codes, fast=codes == (2, 3))


def _a_number_out_of_range() -> Iterator[Case]:
    of = mechanism("configuration: a number out of range", fast=True)
    for base, key, numbers in (
        (GPT2, "n_layer", (0, -1)),
        (GPT2, "n_head", (0, -2, 3)),
        (GPT2, "n_embd", (0, -16)),
        (GPT2, "vocab_size", (0, -1, 255)),
        (GPT2, "n_positions", (0, -1)),
        (GPT2, "n_inner", (0, -4)),
        (LLAMA, "num_key_value_heads", (0, -1, 3)),
        (LLAMA, "head_dim", (0, -8, 7)),
        (LLAMA, "intermediate_size", (0, -1)),
        (BERT, "num_attention_heads", (0, 3)),
    ):
        for number in numbers:
            yield of(f"{base['model_type']} {key} {number}", "export", MODEL, make=model({key: number}, base))
    yield of("an endless dropout", "export", MODEL, make=model({"attn_pdrop": 5}))


def _very_large_numbers() -> Iterator[Case]:
    of = mechanism("configuration: very large numbers", seconds=60)
    for base, key, number in (
        (GPT2, "n_layer", 10**9),
        (GPT2, "n_embd", 2 * 10**6),
        (GPT2, "n_inner", 10**12),
        (GPT2, "vocab_size", 10**12),
        (GPT2, "n_positions", 10**12),
        (GPT2, "n_positions", 10**30),
        (GPT2, "num_labels", 10**9),
        (GPT2, "n_head", 10**9),
        (LLAMA, "num_hidden_layers", 10**7),
        (LLAMA, "max_position_embeddings", 10**10),
        (BERT, "num_hidden_layers", 10**6),
        (BERT, "num_labels", 10**8),
    ):
        codes = (0, 2, 3) if (base, key) == (LLAMA, "max_position_embeddings") else (2, 3)
        yield of(
            f"{base['model_type']} {key} 1e{len(str(number)) - 1}",
            "export",
            MODEL,
            make=model({key: number}, base),
            codes=codes,
        )
    yield of(
        "of 5000 digits",
        "export",
        MODEL,
        make=after(model(), file(CONFIG, '{"model_type":"gpt2","n_layer":' + "9" * 5000 + "}")),
        fast=True,
    )


def _unknown_names() -> Iterator[Case]:
    of = mechanism("configuration: unknown names", fast=True)
    for key, value in (
        ("model_type", "bogus"),
        ("model_type", "../../x"),
        ("activation_function", "bogus"),
        ("torch_dtype", "float99"),
        ("dtype", "bogus"),
        ("dtype", "complex64"),
        ("torch_dtype", 5),
        ("architectures", ["Bogus"]),
        ("architectures", ["GPT2ForTokenClassification"]),
        ("problem_type", "bogus"),
        ("transformers_weights", "../x.safetensors"),
        ("is_encoder_decoder", True),
        ("model_type", "t5"),
        ("model_type", "vit"),
        ("model_type", "clip"),
        ("model_type", "mamba"),
    ):
        may = (0, 2, 3) if key in ("torch_dtype", "dtype", "problem_type") else (2, 3)
        yield of(f"{key} {value}", "export", MODEL, make=model({key: value}), codes=may, fast=may == (2, 3))
    for value in ("GPT2LMHeadModel", [], [5], [None], {}, [["GPT2LMHeadModel"]]):
        yield of(
            f"architectures {json.dumps(value)}",
            "export",
            MODEL,
            make=model({"architectures": value}),
            codes=(0, 2),
            fast=False,
        )


def _rotary_positions() -> Iterator[Case]:
    of = mechanism("configuration: rotary positions", fast=True)
    for value in (
        *(
            {"rope_type": "bogus", "factor": 2.0},
            {"rope_type": "yarn"},
            {"rope_type": "linear", "factor": "x"},
            {"rope_type": 5},
        ),
        *(
            {"type": "dynamic"},
            {"rope_type": "llama3", "factor": 8},
            {"rope_type": "longrope", "factor": 1},
            {"factor": []},
            [],
        ),
    ):
        yield of(
            json.dumps(value)[:50],
            "export",
            MODEL,
            make=model({"rope_scaling": value}, LLAMA),
            codes=(0, 2, 3),
            fast=False,
        )
    for value in (0, -1, 1e-300, 1e300):
        yield of(
            f"rope_theta {value:g}",
            "export",
            MODEL,
            make=model({"rope_theta": value}, LLAMA),
            codes=(0, 2, 3),
            fast=False,
        )


def _quantization() -> Iterator[Case]:
    of = mechanism("configuration: quantization", fast=True)
    for value in ("x", [], 5, {"quant_method": "bogus"}, {"quant_method": 5}, {"bits": 4}):
        yield of(json.dumps(value), "export", MODEL, make=model({"quantization_config": value}))
    for method in ("bitsandbytes", "gptq", "awq", "fp8", "mxfp4", "torchao", "compressed-tensors", "hqq", "quanto"):
        yield of(method, "export", MODEL, make=model({"quantization_config": {"quant_method": method, "bits": 4}}))


def _names_of_python_s_own() -> Iterator[Case]:
    of = mechanism("configuration: names of Python's own", fast=True, codes=(0, 2, 3))
    for key, value in (
        ("__class__", "x"),
        ("__dict__", {}),
        ("to_dict", 5),
        ("to_diff_dict", None),
        ("get_text_config", "x"),
        ("use_return_dict", True),
        ("attribute_map", {"hidden_size": "hidden_size"}),
        ("return_dict", False),
        ("output_attentions", True),
        ("output_hidden_states", True),
        ("id2label", {"a": "b"}),
        ("id2label", 5),
        ("label2id", []),
        ("pruned_heads", {"0": [0]}),
        ("pruned_heads", "x"),
        ("_attn_implementation", "evil/kernels"),
        ("attn_implementation", "flash_attention_2"),
        ("_attn_implementation_internal", "sdpa"),
        ("base_model_tp_plan", "x"),
        ("tie_word_embeddings", False),
        ("use_cache", "no"),
        ("torchscript", True),
        ("chunk_size_feed_forward", -1),
        ("bos_token_id", "x"),
        ("pad_token_id", [1, 2]),
        ("eos_token_id", -5),
        ("name_or_path", "/etc"),
        ("_commit_hash", 5),
        ("transformers_version", {}),
        ("is_decoder", "maybe"),
        ("add_cross_attention", True),
        ("scale_attn_by_inverse_layer_idx", "x"),
        ("tokenizer_class", "Bogus"),
        ("tokenizer_class", 5),
        ("sub_configs", 5),
        ("text_config", {}),
        ("text_config", 5),
    ):
        yield of(f"{key} {json.dumps(value)}", "export", MODEL, make=model({key: value}), fast=False)


def _code_from_the_model() -> Iterator[Case]:
    of = mechanism("configuration: code from the model", codes=(0, 2, 3), lacks=("trust_remote_code=True",))
    for key in ("AutoConfig", "AutoModelForCausalLM", "AutoTokenizer"):
        evil = after(model({"auto_map": {key: "evil.Evil"}}), file(f"{MODEL}/evil.py", _EVIL))
        yield of(key, "export", MODEL, make=evil)
    unknown = model(
        {"auto_map": {"AutoConfig": "evil.Evil", "AutoModelForCausalLM": "evil.Evil"}, "model_type": "evil"}
    )
    yield of(
        "of an unknown type",
        "export",
        MODEL,
        make=after(unknown, file(f"{MODEL}/evil.py", _EVIL)),
        codes=(2, 3),
        fast=True,
    )
    yield of("of another repository", "export", MODEL, make=model({"auto_map": {"AutoConfig": "evil/x--evil.Evil"}}))
    yield of("auto_map is a list", "export", MODEL, make=model({"auto_map": ["evil.Evil"]}))


def _no_json_object() -> Iterator[Case]:
    of = mechanism("configuration: no JSON object", fast=True, codes=(2,))
    for words, content in NOT_JSON.items():
        yield of(words, "export", MODEL, make=after(model(), file(CONFIG, content)), says="config.json")
