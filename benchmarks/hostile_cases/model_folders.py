"""Model folders: configurations, weights, indexes of sharded weights, and what else transformers reads."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hostile_cases.case import Case, Make, mechanism
from benchmarks.hostile_cases.common import GIT_LFS, LONG, NOT_JSON, QUICK_TRACE, TINY, TITLE
from benchmarks.hostile_cases.files import after, cut, file, folder, gone, json_file, link, pipe, sparse
from benchmarks.hostile_cases.tiny_models import ABSENT, BERT, GPT2, LLAMA, MODEL, model, raw_weights, tensors, weights

CONFIG, WEIGHTS, INDEX = (
    f"{MODEL}/{name}" for name in ("config.json", "model.safetensors", "model.safetensors.index.json")
)

#: A module that a configuration names, and that must not be run.
_EVIL = "from pathlib import Path\nPath('ran').touch()\nraise SystemExit\n"


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _configurations()
    yield from _files()
    yield from _weights()
    yield from _indexes()
    yield from _legal()


def _configurations() -> Iterator[Case]:
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


def _files() -> Iterator[Case]:
    of = mechanism("model folder: a part is no file", fast=True)
    for place in ("config.json", "model.safetensors"):
        name = f"{MODEL}/{place}"
        yield of(f"{place} is a folder", "export", MODEL, make=after(model(), folder(name)))
        yield of(f"{place} is a link to itself", "export", MODEL, make=after(model(), link(name, place)))
        yield of(f"{place} is a link to nothing", "export", MODEL, make=after(model(), link(name, "none")))
        yield of(f"{place} is a pipe", "export", MODEL, make=after(model(), pipe(name)))
        yield of(f"{place} has no end", "export", MODEL, make=after(model(), link(name, "/dev/zero")))
        yield of(f"{place} is a device", "export", MODEL, make=after(model(), link(name, "/dev/null")))
    for place in (
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "vocab.json",
    ):
        name = f"{MODEL}/{place}"
        yield of(f"{place} is a pipe", "export", MODEL, make=after(model(), pipe(name)), codes=(0, 2, 3), fast=False)
        yield of(
            f"{place} has no end",
            "export",
            MODEL,
            make=after(model(), link(name, "/dev/zero")),
            codes=(0, 2, 3),
            fast=False,
        )
        yield of(
            f"{place} is a folder", "export", MODEL, make=after(model(), folder(name)), codes=(0, 2, 3), fast=False
        )

    of = mechanism("model folder: large files of zeros")
    for place in ("config.json", "tokenizer.json", "generation_config.json"):
        name = f"{MODEL}/{place}"
        yield of(place, "export", MODEL, make=after(model(), sparse(name, 20 * 10**9)))
    yield of("model.safetensors", "export", MODEL, make=after(model(), sparse(WEIGHTS, 10**12)))
    yield of("model.safetensors behind a right header", "export", MODEL, make=after(model(), _longer(10**12)))

    of = mechanism("model folder: something else", fast=True, codes=(2,))
    yield of("nothing in it", "export", MODEL, make=folder(MODEL))
    yield of("no weights", "export", MODEL, make=after(model(), gone(WEIGHTS)))
    yield of("no configuration", "export", MODEL, make=after(model(), gone(CONFIG)))
    yield of(
        "pickles alone",
        "export",
        MODEL,
        make=after(model(), gone(WEIGHTS), file(f"{MODEL}/pytorch_model.bin", b"\x80\x04K\x01.")),
    )
    yield of("an adapter", "export", MODEL, make=after(model(), json_file(f"{MODEL}/adapter_config.json", {})))
    yield of("another name of the weights", "export", MODEL, make=after(model(), _renamed("consolidated.safetensors")))
    yield of("GGUF alone", "export", MODEL, make=after(model(), gone(WEIGHTS), file(f"{MODEL}/model.gguf", b"GGUF")))
    yield of("a link to itself", "export", f"./{MODEL}", make=link(MODEL, MODEL))
    yield of("a pipe", "export", f"./{MODEL}", make=pipe(MODEL))


def _renamed(name: str) -> Make:
    def made(work: Path) -> None:
        (work / WEIGHTS).rename(work / MODEL / name)

    return made


def _longer(size: int) -> Make:
    """Lengthen the weights of a model with zeros that take no space."""

    def made(work: Path) -> None:
        with (work / WEIGHTS).open("r+b") as opened:
            opened.truncate(size)

    return made


def _weights() -> Iterator[Case]:
    of = mechanism("weights: no safetensors", fast=True, codes=(2,))
    contents: dict[str, bytes | str] = {
        "empty": b"",
        "seven bytes": bytes(7),
        "zeros": bytes(1000),
        "a pickle": b"\x80\x04\x95\x10" + bytes(100),
        "a zip": b"PK\x03\x04" + bytes(100),
        "a header of 2^63 bytes": (2**63).to_bytes(8, "little") + b"{}",
        "a header of 2^64 - 1 bytes": b"\xff" * 8 + b"{}",
        "a header of 10 GB": (10**10).to_bytes(8, "little") + b"{}",
        "a header beyond the end": (1000).to_bytes(8, "little") + b"{}",
        "a pointer of Git LFS": GIT_LFS,
    }
    for words, content in contents.items():
        yield of(words, "export", MODEL, make=after(model(), file(WEIGHTS, content)))
    yield of("cut by a byte", "export", MODEL, make=after(model(), cut(WEIGHTS, -1)))
    yield of("cut in the header", "export", MODEL, make=after(model(), cut(WEIGHTS, 100)))

    of = mechanism("weights: headers", fast=True, codes=(2,))
    right = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    headers: dict[str, Any] = {
        "no JSON": b"{x}",
        "a list": [],
        "a number": 5,
        "nested 100,000 deep": b'{"a":' * 100_000,
        "no tensors": {},
        "no offsets": {"a": {"dtype": "F32", "shape": [1]}},
        "no type": {"a": {"shape": [1], "data_offsets": [0, 4]}},
        "a tensor that is a number": {"a": 5},
        "offsets beyond the end": {"a": {**right, "data_offsets": [0, 10**15]}},
        "offsets below 0": {"a": {**right, "data_offsets": [-4, 0]}},
        "offsets turned around": {"a": {**right, "data_offsets": [4, 0]}},
        "offsets of words": {"a": {**right, "data_offsets": ["0", "4"]}},
        "offsets that overlap": {"a": right, "b": right},
        "an unknown type": {"a": {**right, "dtype": "F99"}},
        "a shape of 10^30": {"a": {**right, "shape": [10**30]}},
        "a shape whose product overflows": {"a": {**right, "shape": [2**33, 2**33]}},
        "a shape below 0": {"a": {**right, "shape": [-1]}},
        "metadata of numbers": {"__metadata__": {"a": 5}, "a": right},
        "metadata in a list": {"__metadata__": [], "a": right},
        "a name twice": b'{"a":%s,"a":%s}' % ((json.dumps(right).encode(),) * 2),
        "bytes that are no text": b'{"\xff":%s}' % json.dumps(right).encode(),
    }
    for words, header in headers.items():
        yield of(words, "export", MODEL, make=after(model(), raw_weights(header, bytes(4))))

    of = mechanism("weights: other tensors than the model's", fast=True, codes=(2,))
    wte, norm = "transformer.wte.weight", "transformer.ln_f.weight"
    yield of("one is missing", "export", MODEL, make=after(model(), weights({norm: None})))
    yield of(
        "all have other names",
        "export",
        MODEL,
        make=after(model(), weights({**dict.fromkeys(tensors()), "x": np.ones(3, np.float32)})),
    )
    yield of("another shape", "export", MODEL, make=after(model(), weights({wte: np.ones((255, 16), np.float32)})))
    yield of("more dimensions", "export", MODEL, make=after(model(), weights({wte: np.ones((256, 16, 1), np.float32)})))
    yield of("no elements", "export", MODEL, make=after(model(), weights({wte: np.ones((0, 16), np.float32)})))
    yield of("of Llama", "export", MODEL, make=after(model(), raw_weights(_header_of(LLAMA), bytes(_size_of(LLAMA)))))
    yield of(
        "a name that takes the terminal",
        "export",
        MODEL,
        make=after(model(), weights({norm: None, f"{TITLE}\n": np.ones(1, np.float32)})),
    )

    of = mechanism("weights: values that no model has", codes=(0, 1, 2, 3), seconds=180)
    for words, value in (("NaN", np.nan), ("infinity", np.inf), ("1e38", 1e38), ("0", 0.0)):
        every = {name: np.full_like(array, value) for name, array in tensors().items()}
        yield of(f"all {words}", *TINY, make=after(model(), weights(every)))
    for kind in (np.int64, np.bool_, np.complex64, np.float64, np.uint8):
        given = {wte: np.ones((256, 16), kind)}
        yield of(f"of type {np.dtype(kind)}", "export", MODEL, make=after(model(), weights(given)))

    of = mechanism("weights: more than the memory holds")
    big = {"n_embd": 8192, "n_head": 32, "vocab_size": 10**7}
    yield of("330 GB of zeros that fit the configuration", "export", MODEL, make=_sparse_model(**big))
    yield of("330 GB, compared", *TINY, make=_sparse_model(**big))


def _header_of(base: dict[str, Any]) -> dict[str, Any]:
    header: dict[str, Any] = {}
    place = 0
    for name, array in tensors(base).items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [place, place + array.nbytes]}
        place += array.nbytes
    return header


def _size_of(base: dict[str, Any]) -> int:
    return sum(array.nbytes for array in tensors(base).values())


def _sparse_model(n_embd: int, n_head: int, vocab_size: int) -> Make:
    """Make a GPT-2 of any size whose weights are zeros that take no space on the disk."""

    def made(work: Path) -> None:
        model({"n_embd": n_embd, "n_head": n_head, "vocab_size": vocab_size})(work)
        sizes = {16: n_embd, 48: 3 * n_embd, 64: 4 * n_embd, 256: vocab_size}
        header: dict[str, Any] = {}
        place = 0
        for name, array in tensors().items():
            shape = [sizes.get(size, size) for size in array.shape]
            end = place + 4 * int(np.prod(shape, dtype=np.int64))
            header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [place, end]}
            place = end
        raw_weights(header)(work)
        with (work / WEIGHTS).open("r+b") as opened:
            opened.truncate((work / WEIGHTS).stat().st_size + place)

    return made


def _indexes() -> Iterator[Case]:
    yield from _names_of_files()
    yield from _a_link_out_of_the_folder()
    yield from _no_map_of_weights()


def _names_of_files() -> Iterator[Case]:
    of = mechanism("index: names of files", fast=True, codes=(2,))
    for words, name in {
        "above the folder": "../x.safetensors",
        "absolute": "/etc/passwd.safetensors",
        "in a folder": "a/b.safetensors",
        "missing": "none.safetensors",
        "no safetensors": "config.json",
        "a pickle": "x.bin",
        "empty": "",
        "a dot": ".",
        "of Windows": "..\\x.safetensors",
        "a drive": "C:\\x.safetensors",
        "a zero byte": "a\0.safetensors",
        "too long": f"{LONG}.safetensors",
        "control characters": f"{TITLE}.safetensors",
        "a surrogate": "\ud800.safetensors",
    }.items():
        outside = file("x.safetensors", b"x")
        yield of(
            words,
            "export",
            MODEL,
            make=after(model(), outside, gone(WEIGHTS), json_file(INDEX, {"weight_map": {"a": name}})),
        )


def _a_link_out_of_the_folder() -> Iterator[Case]:
    of = mechanism("index: a link out of the folder", codes=(2,), fast=True)
    out = after(
        model(name="other"),
        model(),
        gone(WEIGHTS),
        json_file(INDEX, {"weight_map": dict.fromkeys(tensors(), "a.safetensors")}),
    )
    yield of("a shard without an end", "export", MODEL, make=after(out, link(f"{MODEL}/a.safetensors", "/dev/zero")))
    yield of("a shard that is a pipe", "export", MODEL, make=after(out, pipe(f"{MODEL}/a.safetensors")))
    yield of("a shard that is a folder", "export", MODEL, make=after(out, folder(f"{MODEL}/a.safetensors")))
    yield of(
        "a shard that is a link to itself",
        "export",
        MODEL,
        make=after(out, link(f"{MODEL}/a.safetensors", "a.safetensors")),
    )
    yield of(
        "the index itself",
        "export",
        MODEL,
        make=after(out, link(f"{MODEL}/a.safetensors", "model.safetensors.index.json")),
    )


def _no_map_of_weights() -> Iterator[Case]:
    of = mechanism("index: no map of weights", fast=True, codes=(2,))
    for words, content in (
        ("an empty object", {}),
        ("an empty map", {"weight_map": {}}),
        ("a map in a list", {"weight_map": ["model.safetensors"]}),
        ("a map in a string", {"weight_map": "model.safetensors"}),
        ("numbers", {"weight_map": {"a": 5}}),
        ("files of null", {"weight_map": {"a": None}}),
        ("lists", {"weight_map": {"a": ["x.safetensors"]}}),
    ):
        yield of(words, "export", MODEL, make=after(model(), gone(WEIGHTS), json_file(INDEX, content)))
    for words, raw in NOT_JSON.items():
        yield of(words, "export", MODEL, make=after(model(), gone(WEIGHTS), file(INDEX, raw)))


def _legal() -> Iterator[Case]:
    """Yield models that are unusual and can be exported, and folders with unusual names."""
    yield from _files_that_are_not_needed_and_not_right()
    yield from _configurations_that_are_none()
    yield from _its_name()


def _files_that_are_not_needed_and_not_right() -> Iterator[Case]:
    of = mechanism("model folder: files that are not needed and not right", codes=(0, 2), seconds=120)
    for words, content in (
        ("no JSON", "{x"),
        ("a list", "[]"),
        ("a hot temperature", '{"temperature": "hot"}'),
        ("a temperature without sampling", '{"temperature": 0.5, "do_sample": false}'),
        ("a method", '{"generate": 5, "to_dict": 5}'),
        ("code", '{"custom_generate": "evil/x"}'),
        ("nested", "[" * 100_000),
    ):
        yield of(
            f"generation_config.json with {words}",
            "export",
            MODEL,
            make=after(model(), file(f"{MODEL}/generation_config.json", content)),
        )
    for name in ("1_Pooling/config.json", "modules.json", "chat_template.jinja", "added_tokens.json"):
        yield of(f"{name} with no JSON", "export", MODEL, make=after(model(), file(f"{MODEL}/{name}", b"\xff{%")))


def _configurations_that_are_none() -> Iterator[Case]:
    of = mechanism("pooling: configurations that are none", codes=(2,), fast=True)
    contents: dict[str, bytes | str] = {
        **NOT_JSON,
        "an unknown mode": '{"pooling_mode": "bogus"}',
        "a mode in a list": '{"pooling_mode": [["cls"]]}',
        "a number": '{"pooling_mode": 5}',
    }
    for words, content in contents.items():
        yield of(words, "export", MODEL, make=after(model(base=BERT), file(f"{MODEL}/1_Pooling/config.json", content)))
    yield of(
        "a pipe",
        "export",
        MODEL,
        make=after(model(base=BERT), pipe(f"{MODEL}/1_Pooling/config.json")),
        codes=(0, 2, 3),
        fast=False,
    )


def _its_name() -> Iterator[Case]:
    of = mechanism("model folder: its name", seconds=180)
    names = (
        *(
            f"{TITLE}x",
            "a\nerror: b",
            "\u202eledom",
            "$x_{",
            "{x}",
            "[/bold]",
            "a'b\"c;d",
            "%s",
            " ",
            "-model",
            "ü" * 100,
        ),
        *("<script>alert(1)</script>"[:-9].replace("/", ""), "|a|`b`", "..x", "x.y.z", "con", "#", "&amp;"),
    )
    for name in names:
        yield of(f"refused, {name!a}", "export", f"./{name}", make=folder(name), codes=(2,), fast=True)
    yield of(
        "refused, bytes that are no text",
        "bash",
        "mkdir $'a\\xff'; $PYTHON -m export ./$'a\\xff'",
        codes=(2,),
        writes=("a\udcff",),
    )
    for name in (f"{TITLE}x", "$x_{", "[/bold]", "<img src=x onerror=alert(1)>", "ü" * 100, "a\nb", "{x!r}"):
        yield of(
            f"compared, {name!a}",
            "compare",
            "--model",
            f"./{name}",
            *QUICK_TRACE,
            make=model(name=name),
            codes=(0, 1),
            lacks=("<img",),
        )
    yield of(
        "compared, bytes that are no text",
        "bash",
        f"mv {MODEL} $'a\\xff'; $PYTHON -m compare --model ./$'a\\xff' {' '.join(QUICK_TRACE)}",
        make=model(),
        codes=(0, 1, 2),
        writes=(MODEL, "a\udcff"),
    )
    yield of("compared, nothing unusual", *TINY, make=model(), codes=(0, 1))
    yield of("compared, absent type of class", *TINY, make=model({"architectures": ABSENT}), codes=(0, 1))
