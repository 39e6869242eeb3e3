"""Tiny encoders with seeded weights under which every fault has an effect."""

from pathlib import Path
from typing import Any

#: Sizes of every model, under the names that most configurations understand.
_SIZES = {"vocab_size": 300, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "pad_token_id": 0}
_TABLE = {"intermediate_size": 96, "max_position_embeddings": 64}
_OFFSET = {"intermediate_size": 96, "max_position_embeddings": 66, "pad_token_id": 1}

#: Type of the configuration -> its settings.
ENCODERS: dict[str, dict[str, Any]] = {
    "bert": _TABLE,
    "roberta": _OFFSET,
    "distilbert": {"hidden_dim": 96, "max_position_embeddings": 64},
    "electra": _TABLE | {"embedding_size": 32},
    "mpnet": _OFFSET,
    "albert": _TABLE | {"embedding_size": 32},
}


def tiny_encoder(model_type: str, **settings: Any) -> Any:
    """Return an encoder of transformers with 300 tokens, two layers and 64 positions, without a pooler."""
    import torch
    from transformers import AutoConfig

    from export.kinds import loader_of
    from export.seeded import fill

    config = AutoConfig.for_model(model_type, **_SIZES | ENCODERS[model_type] | settings)
    loader, options = loader_of(config)
    with torch.random.fork_rng():
        model = loader.from_config(config, attn_implementation="eager", **options).eval()
    fill(model, 0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(8)
    return model


def save_encoder(folder: Path, model_type: str, **settings: Any) -> Path:
    """Save a tiny encoder, without a tokenizer. Return its folder."""
    tiny_encoder(model_type, **settings).save_pretrained(folder)
    return folder
