"""The kinds of models that are compared: causal language models and encoders.

A causal language model gives logits, and each position sees the positions before it. An encoder gives a hidden state
for each position, and each position sees all others. An encoder is compared without its head, and generates nothing.
"""

import inspect
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any, Literal

from export.configuration import configuration_of
from export.errors import BadInput, CannotRun

#: The output of a causal language model, (batch, sequence, vocabulary).
LOGITS: Literal["logits"] = "logits"

#: The output of an encoder, (batch, sequence, hidden).
LAST_HIDDEN_STATE: Literal["last_hidden_state"] = "last_hidden_state"

#: The outputs of models, of which each model has one.
OUTPUTS: tuple[str, ...] = (LOGITS, LAST_HIDDEN_STATE)


def is_causal_class(name: str) -> bool:
    """Return whether a class of transformers is a causal language model, judged by its name.

    >>> is_causal_class("GPT2LMHeadModel"), is_causal_class("BertModel")
    (True, False)
    """
    return name.endswith(("ForCausalLM", "LMHeadModel"))


def output_among(names: Collection[str]) -> str | None:
    """Return the name that is a model's output, logits first; None if none is.

    >>> output_among(["attention.0", "last_hidden_state"])
    'last_hidden_state'
    """
    return next((name for name in OUTPUTS if name in names), None)


def output_phrase(output: str) -> str:
    """Return the name of an output as it stands in a sentence.

    >>> output_phrase("logits"), output_phrase("last_hidden_state")
    ('logits', 'the last hidden state')
    """
    return output if output == LOGITS else f"the {output.replace('_', ' ')}"


def output_of(config: Any) -> Literal["logits", "last_hidden_state"]:
    """Return the name of a model's output. config: its configuration in transformers.

    >>> from transformers import BertConfig, GPT2Config
    >>> output_of(GPT2Config()), output_of(BertConfig()), output_of(BertConfig(is_decoder=True))
    ('logits', 'last_hidden_state', 'logits')
    """
    return LAST_HIDDEN_STATE if is_encoder(config) else LOGITS


def is_encoder(config: Any) -> bool:
    """Return whether a model is compared as an encoder. config: its configuration in transformers.

    A configuration of a type that has both forms, such as BERT's, is that of an encoder, unless it says that it is a
    decoder or names a class that is a causal language model.
    """
    if is_encoder_decoder(config) or getattr(config, "is_decoder", False):
        return False
    config_class: Any = type(config)
    return _is_encoder(config_class, config.model_type, named_class(config))


@cache  # every forward pass asks
def _is_encoder(config_class: Any, model_type: str, named: str) -> bool:
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        MODEL_MAPPING_NAMES,
    )

    if model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not is_causal_class(named)
    return model_type in MODEL_MAPPING_NAMES and _encoder_class(config_class).main_input_name == "input_ids"


def is_encoder_decoder(config: Any) -> bool:
    """Return whether a model has an encoder and a decoder, such as T5 and BART. config: its configuration."""
    return bool(getattr(config, "is_encoder_decoder", False))


def check_causal(folder: Path, what: str) -> None:
    """Raise `CannotRun` if the model in a folder is an encoder. what: the software that runs only other models."""
    if is_encoder(configuration_of(folder)):
        raise CannotRun(f"{what} runs causal language models alone, and this model is an encoder")


def named_class(config: Any) -> str:
    """Return the class that a configuration names, the first of several; empty if it names none."""
    named = getattr(config, "architectures", None)
    first = named[0] if isinstance(named, list) and named else named
    return first if isinstance(first, str) else ""


def skipped_positions(model: Any) -> int:
    """Return the number of rows of a model's table of positions that no token has.

    RoBERTa and models like it number the positions of tokens from the number of the padding token plus 1 on.
    """
    tables = (module for module in model.modules() if hasattr(module, "position_embeddings"))
    padding = next((getattr(module, "padding_idx", None) for module in tables), None)
    return 0 if padding is None else padding + 1


def loader_of(config: Any) -> tuple[Any, dict[str, Any]]:
    """Return the class of transformers that loads a model, and further arguments for its `from_pretrained`.

    config: the model's configuration. An encoder is loaded without its pooler, which sentence-transformers does not use
    and which checkpoints with another head do not have. Raises `BadInput` for a model of another kind.
    """
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoModel, AutoModelForCausalLM

    if is_encoder_decoder(config):
        raise BadInput(
            f"{named_class(config) or config.model_type} is an encoder-decoder, whose decoder also reads what its "
            "encoder gives; it is not compared. What can be compared: causal language models, such as GPT-2 and Llama, "
            "and encoders, such as BERT"
        )
    if not is_encoder(config):
        if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
            raise BadInput(
                f"models of type {config.model_type} are neither causal language models nor encoders of text; what can "
                "be compared is, for example, GPT-2, Llama or BERT"
            )
        return AutoModelForCausalLM, {}
    pooled = "add_pooling_layer" in inspect.signature(_encoder_class(type(config)).__init__).parameters
    return AutoModel, {"add_pooling_layer": False} if pooled else {}


def _encoder_class(config_class: Any) -> Any:
    from transformers import MODEL_MAPPING

    return MODEL_MAPPING[config_class]
