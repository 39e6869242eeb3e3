"""Tiny models with seeded weights under which every fault has an effect."""

from typing import Any

#: The types of models that `tiny_model` makes.
USUAL = ("gpt2", "llama", "mistral", "qwen2", "qwen3")


def tiny_model(
    model_type: str = "gpt2",
    seed: int = 0,
    *,
    hidden: int = 64,
    layers: int = 2,
    heads: int = 4,
    positions: int = 64,
    **more: Any,
) -> Any:
    """Return a transformers model of that type ("gpt2", "llama", "qwen3") with seeded weights and 300 tokens.

    more: further settings of its configuration.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from export.seeded import fill

    sizes = {
        "vocab_size": 300,
        "max_position_embeddings": positions,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
    }
    grouped = {"num_key_value_heads": heads // 2, "head_dim": hidden // heads, "intermediate_size": hidden * 3 // 2}
    config = AutoConfig.for_model(model_type, **sizes, **({} if model_type == "gpt2" else grouped), **more)
    with torch.random.fork_rng():
        model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    fill(model, seed)
    return model
