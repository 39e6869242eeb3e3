"""The arguments of a model's forward pass, which differ between architectures."""

import inspect
from functools import cache
from typing import TYPE_CHECKING, Any

from export.kinds import is_encoder
from export.positions import positions_of

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

#: Parameter of a forward pass -> its name from transformers 5.24 on.
_RENAMED = {"past_key_values": "cache"}


def forward_arguments(
    model: "PreTrainedModel",
    input_ids: "Tensor",
    attention_mask: "Tensor",
    *,
    positions: "Tensor | None" = None,
    **options: Any,
) -> dict[str, Any]:
    """Return the keyword arguments of a forward pass, without those that the model does not declare.

    A model that does not take position ids counts positions by the mask itself, or has no positions. An encoder numbers
    positions itself, as in every use of it.

    input_ids: int64 (batch, sequence). attention_mask: int64 (batch, past + sequence). positions: position ids, int64
    (batch, sequence); by default `positions_of(attention_mask, sequence)`. options: further arguments, such as
    `use_cache`.
    """
    known = declared(type(getattr(model, "_orig_mod", model)))  # torch.compile wraps a model in another class
    given = {"input_ids": input_ids, "attention_mask": attention_mask}
    if "position_ids" in known and not is_encoder(model.config):
        given["position_ids"] = positions_of(attention_mask, input_ids.shape[1]) if positions is None else positions
    return given | {
        _RENAMED[name] if _RENAMED.get(name) in known else name: value
        for name, value in options.items()
        if name in known
    }


def has_token_types(model: "PreTrainedModel") -> bool:
    """Return whether a model's graph needs an input for token types: whether it has several, as BERT has."""
    return getattr(model.config, "type_vocab_size", 1) > 1 and "token_type_ids" in declared(type(model))


def declared(model_class: Any) -> frozenset[str]:
    """Return the names of the parameters that a model class's forward pass declares, under old names too."""
    return _parameters(model_class)


@cache  # it takes longer than the rest of a tiny model's call
def _parameters(model_class: Any) -> frozenset[str]:
    names = inspect.signature(model_class.forward).parameters
    return frozenset(names) | {old for old, new in _RENAMED.items() if new in names}
