"""Read a model's `config.json`, and check it before transformers uses it.

transformers checks few values. It computes with the others when it builds the model, and then raises whatever that
raises, or makes as many modules as it is told to. So the types and the bounds of the usual settings are checked first.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from export.errors import BadInput, quoted, similar
from export.outside import as_bad_input, read_json, silent

CONFIG = "config.json"

#: The end of messages about a file that is wrong.
SAVE_ANEW = "save the model again with save_pretrained"

#: The largest numbers of layers, of experts of a layer, and of positions. Every layer and expert is an object in memory
#: before any weight is.
LAYERS, EXPERTS, POSITIONS = 1000, 4096, 2**31 - 1

#: The most bytes of a configuration.
_MOST = 4 * 2**20


class _Number(NamedTuple):
    """A setting that is a number, or null if `optional`. whole: whether it is an integer."""

    least: float
    most: float
    whole: bool = True
    optional: bool = False


_SIZE, _MAYBE_SIZE = _Number(1, 2**24), _Number(1, 2**24, optional=True)
_SMALL, _SHARE = _Number(0, 1, whole=False), _Number(0, 1, whole=False, optional=True)
_POSITIVE = _Number(1e-6, 1e18, whole=False, optional=True)

_DROPOUTS = (
    *("attn_pdrop", "embd_pdrop", "resid_pdrop", "hidden_dropout_prob", "attention_probs_dropout_prob"),
    *("attention_dropout", "hidden_dropout", "activation_dropout", "classifier_dropout"),
)

#: Setting -> its numbers. Architectures have several names for one setting.
_NUMBERS = {
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), _Number(1, LAYERS)),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), _Number(1, 2**16)),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads", "n_head_kv"), _Number(1, 2**16, optional=True)),
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "dim"), _SIZE),
    **dict.fromkeys(("intermediate_size", "n_inner", "ffn_dim", "d_ff", "head_dim", "d_kv"), _MAYBE_SIZE),
    **dict.fromkeys(
        ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"), _Number(1, POSITIONS, optional=True)
    ),
    **dict.fromkeys(
        ("num_experts", "num_local_experts", "n_routed_experts", "n_shared_experts", "num_experts_per_tok"),
        _Number(0, EXPERTS, optional=True),
    ),
    "vocab_size": _Number(1, 2**31 - 1),
    "type_vocab_size": _Number(0, 2**20, optional=True),
    "num_labels": _Number(0, 10**6, optional=True),
    **dict.fromkeys(
        ("layer_norm_epsilon", "layer_norm_eps", "rms_norm_eps", "norm_epsilon", "norm_eps", "initializer_range"),
        _SMALL,
    ),
    **dict.fromkeys(_DROPOUTS, _SHARE),
    **dict.fromkeys(("rope_theta", "rotary_emb_base"), _POSITIVE),
}

#: Setting -> the types that it may have in Python, apart from None, and how a message names them.
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "model_type": ((str,), "a text"),
    **dict.fromkeys(
        ("is_decoder", "is_encoder_decoder", "tie_word_embeddings", "use_cache", "add_cross_attention"),
        ((bool,), "true or false"),
    ),
    **dict.fromkeys(
        ("rope_scaling", "rope_parameters", "quantization_config", "auto_map", "id2label", "label2id", "text_config"),
        ((dict,), "an object"),
    ),
    **dict.fromkeys(("dtype", "torch_dtype"), ((str, dict), "the name of a type")),
    "architectures": ((str, list), "a list of names"),
}

#: Numbers among the settings of rotary positions.
_ROPE_NUMBERS = (
    "factor",
    "attention_factor",
    "low_freq_factor",
    "high_freq_factor",
    "rope_theta",
    "partial_rotary_factor",
)

#: The names that `dtype` may have. The types of less than 16 bits are those of quantized models.
_DTYPES = (
    *("auto", "float64", "double", "float32", "float", "float16", "half", "bfloat16"),
    *("int8", "uint8", "float8_e4m3fn", "float8_e5m2"),
)


def read_configuration(folder: Path) -> dict[str, Any]:
    """Return the content of a model folder's `config.json`.

    Raises `BadInput` if it is not the JSON of an object, or one of the usual settings has a value that no model has.
    """
    path = folder / CONFIG
    content = read_json(path, "configuration", SAVE_ANEW, _MOST)
    _check(path, content)
    return content


@contextmanager
def reading(what: str, mend: str = "") -> Iterator[None]:
    """Call transformers in the `with` block. Whatever it raises is one `BadInput`, and it logs and warns of nothing.

    It logs errors that it then raises, some with the whole configuration. what, mend: as in `outside.as_bad_input`.
    """
    with as_bad_input(what, mend), silent("transformers"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def check_transformers() -> None:
    """Raise `BadInput` if transformers cannot be imported, for example because of a variable of the environment."""
    mend = "check the environment variables that begin with HF_, or install it again"
    with as_bad_input("transformers cannot be imported", mend):
        import transformers  # noqa: F401


def configuration_of(folder: Path) -> Any:
    """Return the configuration of the model in a folder, as an object of transformers.

    Raises `BadInput` as `read_configuration` does, and if transformers does not have the type of the model or cannot
    use another setting. The code that a model brings is never run.
    """
    from transformers import CONFIG_MAPPING, AutoConfig, __version__

    content = read_configuration(folder)
    named, what = content.get("model_type"), f"the model in {folder} cannot be loaded"
    if named is None:
        raise BadInput(f'{what}: {CONFIG} has no model_type; add it, such as "model_type": "gpt2", or {SAVE_ANEW}')
    if named not in CONFIG_MAPPING:
        reasons = (
            f"its model_type is {quoted(named)}, which transformers {__version__} does not have",
            similar(named, CONFIG_MAPPING) if len(named) < 100 else "",
            "the code that it brings (auto_map) is never run" if content.get("auto_map") else "",
        )
        raise BadInput(f"{what}: {'; '.join(filter(None, reasons))}")
    _check_quantization(folder, content.get("quantization_config"))
    _check_names(folder, content, CONFIG_MAPPING[named])
    with reading(f"{what}: transformers cannot use its {CONFIG}", SAVE_ANEW):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        config.get_text_config()
    return config


def _check_names(folder: Path, content: dict[str, Any], kind: Any) -> None:
    """Raise `BadInput` if a setting has the name of a method of the configuration, which it would replace."""
    for name in content:
        if name.startswith("__") or callable(getattr(kind, name, None)):
            raise BadInput(f"{folder / CONFIG} sets {quoted(name)}, which is not a setting; remove it, or {SAVE_ANEW}")


def _check_quantization(folder: Path, content: dict[str, Any] | None) -> None:
    """Raise `BadInput` if transformers does not know how a model is quantized. It would then load the weights."""
    if not content or content.get("load_in_8bit") or content.get("load_in_4bit"):
        return
    from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING as KNOWN

    method = content.get("quant_method")
    if not isinstance(method, str) or method not in KNOWN:
        raise _wrong(folder / CONFIG, "quantization_config.quant_method", method, f"one of {', '.join(sorted(KNOWN))}")


def _check(path: Path, content: dict[str, Any], place: str = "") -> None:
    for name, kind in _NUMBERS.items():
        if name in content:
            value = content[name]
            values = value if name == "intermediate_size" and isinstance(value, list) and value else [value]
            for each in values:
                if not _fits(each, kind):
                    raise _wrong(path, place + name, each, _range(kind))
    for name, (types, words) in _TYPES.items():
        if content.get(name) is not None and not isinstance(content[name], types):
            raise _wrong(path, place + name, content[name], words)
    architectures = content.get("architectures")
    if isinstance(architectures, list) and not all(isinstance(name, str) for name in architectures):
        raise _wrong(path, f"{place}architectures", architectures, "a list of names")
    for name in ("dtype", "torch_dtype"):
        dtype = content.get(name)
        if isinstance(dtype, str) and dtype.removeprefix("torch.") not in _DTYPES:
            raise _wrong(path, place + name, dtype, f"one of {', '.join(_DTYPES)}")
    for name in ("rope_scaling", "rope_parameters"):
        _check_rope(path, place + name, content.get(name) or {}, nested=False)
    if not place and content.get("text_config") is not None:
        _check(path, content["text_config"], f"{place}text_config.")


def _check_rope(path: Path, place: str, content: dict[str, Any], *, nested: bool) -> None:
    """Check the settings of rotary positions. Those of models with several types of layers are nested, one for each."""
    for name, value in content.items():
        if isinstance(value, dict) and not nested:
            _check_rope(path, f"{place}.{name}", value, nested=True)
        elif name in ("type", "rope_type") and value is not None and not isinstance(value, str):
            raise _wrong(path, f"{place}.{name}", value, "a text")
        elif name in _ROPE_NUMBERS and not _fits(value, _POSITIVE):
            raise _wrong(path, f"{place}.{name}", value, _range(_POSITIVE))


def _fits(value: object, kind: _Number) -> bool:
    if value is None:
        return kind.optional
    types = int if kind.whole else int | float
    return not isinstance(value, bool) and isinstance(value, types) and kind.least <= value <= kind.most


def _range(kind: _Number) -> str:
    if kind.whole:
        return f"a whole number from {kind.least:,} to {kind.most:,}"
    return f"a number from {kind.least:g} to {kind.most:g}"


def _wrong(path: Path, place: str, value: object, words: str) -> BadInput:
    return BadInput(f"{path}: {place} is {quoted(value)}; it must be {words}; {SAVE_ANEW}")
