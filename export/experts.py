"""Mixtures of experts in a form that can be exported.

transformers computes each expert on the tokens that chose it. Which ones these are is known only when the model runs,
so this cannot be traced. transformers 5 has another form, in which each token fetches the weights of its experts. With
transformers 4, every expert computes every token here, and those that a token did not choose count zero.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel


@contextmanager
def exportable_experts(model: PreTrainedModel) -> Iterator[None]:
    """Let a model compute its experts in a form that can be exported, in the `with` block."""
    with ExitStack() as stack:
        if hasattr(model, "set_experts_implementation"):
            if model._can_set_experts_implementation():
                stack.callback(model.set_experts_implementation, model.get_experts_implementation())
                model.set_experts_implementation("batched_mm")
            yield
            return
        for module in model.modules():
            if type(module).__name__ in _DENSE:
                module.forward = _DENSE[type(module).__name__].__get__(module)
                stack.callback(module.__delattr__, "forward")
        yield


def plain_experts(model: PreTrainedModel) -> PreTrainedModel:
    """Let a model compute each expert with ordinary matrix products, and return it.

    The default of transformers 5 is one fused product for all experts, which torch does not have in float64.
    """
    if hasattr(model, "set_experts_implementation") and model._can_set_experts_implementation():
        model.set_experts_implementation("eager")
    return model


def _every_expert(self: Any, hidden_states: Tensor) -> tuple[Tensor, Tensor]:
    """The forward pass of a block with a list of experts: (batch, sequence, hidden) -> the same, and router logits."""
    tokens = hidden_states.flatten(0, 1)
    logits = self.gate(tokens)
    shares, chosen = torch.topk(functional.softmax(logits, dim=-1, dtype=torch.float), self.top_k, dim=-1)
    if getattr(self, "norm_topk_prob", True):
        shares = shares / shares.sum(-1, keepdim=True)
    weights = torch.zeros_like(logits).scatter(1, chosen, shares.to(tokens.dtype))
    total = sum(expert(tokens) * weights[:, i : i + 1] for i, expert in enumerate(self.experts))
    return total.view_as(hidden_states), logits


def _every_gpt_oss_expert(self: Any, hidden_states: Tensor, router_indices: Tensor, routing_weights: Tensor) -> Tensor:
    """The forward pass of GPT-OSS's experts, whose weights are in one tensor.

    routing_weights: (tokens, experts), 0 for experts that a token did not choose.
    """
    del router_indices  # the weights say the same
    tokens = hidden_states.reshape(1, -1, self.hidden_size)
    both = tokens @ self.gate_up_proj + self.gate_up_proj_bias[:, None]  # (experts, tokens, 2 x size), interleaved
    gate = both[..., ::2].clamp(max=self.limit)
    up = both[..., 1::2].clamp(-self.limit, self.limit)
    made = (up + 1) * gate * torch.sigmoid(gate * self.alpha)
    out = made @ self.down_proj + self.down_proj_bias[:, None]
    total: Tensor = (out * routing_weights.T[..., None]).sum(0)
    return total.view_as(hidden_states)


#: Class of transformers 4 -> the forward pass that replaces its own.
_DENSE: dict[str, Callable[..., Any]] = {
    "MixtralSparseMoeBlock": _every_expert,
    "Qwen3MoeSparseMoeBlock": _every_expert,
    "OlmoeSparseMoeBlock": _every_expert,
    "GptOssExperts": _every_gpt_oss_expert,
}
