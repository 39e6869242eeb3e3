"""Test which models are compared as causal language models, which as encoders, and which are refused."""

import pytest
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from export.errors import BadInput
from export.kinds import is_encoder, loader_of


@pytest.mark.parametrize("model_type", ["bert", "roberta", "distilbert", "electra", "mpnet", "albert", "camembert"])
@pytest.mark.parametrize("architecture", [None, "{}Model", "{}ForMaskedLM", "{}ForSequenceClassification"])
def test_encoders(model_type: str, architecture: str | None) -> None:
    config = AutoConfig.for_model(model_type)
    config.architectures = None if architecture is None else [architecture.format(type(config).__name__[:-6])]
    assert is_encoder(config)
    loader, options = loader_of(config)
    assert loader is AutoModel
    assert options == ({} if model_type in ("distilbert", "electra") else {"add_pooling_layer": False})


@pytest.mark.parametrize(
    ("model_type", "architecture", "more"),
    [
        ("gpt2", None, {}),
        ("gpt2", "GPT2Model", {}),
        ("llama", "LlamaForSequenceClassification", {}),
        ("bert", "BertLMHeadModel", {}),
        ("roberta", "RobertaForCausalLM", {}),
        ("bert", None, {"is_decoder": True}),
    ],
)
def test_causal_language_models(model_type: str, architecture: str | None, more) -> None:
    config = AutoConfig.for_model(model_type, **more)
    config.architectures = None if architecture is None else [architecture]
    assert not is_encoder(config)
    assert loader_of(config) == (AutoModelForCausalLM, {})


@pytest.mark.parametrize(
    ("model_type", "architecture"),
    [("t5", "T5ForConditionalGeneration"), ("bart", "BartForConditionalGeneration"), ("marian", "MarianMTModel")],
)
def test_an_encoder_decoder_is_refused(model_type: str, architecture: str) -> None:
    config = AutoConfig.for_model(model_type, architectures=[architecture])
    message = rf"{architecture} is an encoder-decoder, .* not compared\. What can be compared: causal language models"
    with pytest.raises(BadInput, match=message):
        loader_of(config)
