"""The segments of a model in words: which layer and which part of it make a tensor."""

from collections.abc import Collection, Iterator

from export.kinds import LAST_HIDDEN_STATE

#: The segment of a layer that makes each kind of tensor. A hidden state is made by the layer before it.
SEGMENTS = {
    "query": "norm and projections to query, key, value",
    "key": "norm and projections to query, key, value",
    "value": "norm and projections to query, key, value",
    "attention": "attention",
    "context": "attention",
    "mid_state": "output projection",
    "hidden_state": "norm and MLP",
    "logits": "final norm and head",
    "last_hidden_state": "norm and MLP",
}


def place_of(tensor: str, exposed: Collection[str] = ()) -> str:
    """Return the layer and segment that make a tensor, in words.

    exposed: the tensors that the run exposes. If it exposes fewer than all, every segment since the last exposed tensor
    is named.

    >>> place_of("hidden_state.0"), place_of("query.1"), place_of("logits")
    ('embedding', 'layer 1, norm and projections to query, key, value', 'final norm and head')
    >>> place_of("hidden_state.2", {"hidden_state.1", "context.1", "hidden_state.2"})
    'layer 1, output projection or norm and MLP'
    """
    kind, _, number = tensor.partition(".")
    if kind == LAST_HIDDEN_STATE:
        return _place_of_states(exposed)
    if not number:
        return SEGMENTS[kind]
    layer = int(number) - (kind == "hidden_state")
    if layer < 0:
        return "embedding"
    made = dict.fromkeys([*hidden_segments(kind, layer, exposed), SEGMENTS[kind]])
    return f"layer {layer}, {' or '.join(made)}"


def _place_of_states(exposed: Collection[str]) -> str:
    """Return the segment that makes an encoder's last hidden state: its last layer, or a norm after that.

    >>> _place_of_states({"hidden_state.0", "mid_state.0", "last_hidden_state"})
    'layer 0, norm and MLP'
    >>> _place_of_states({"hidden_state.0", "mid_state.0", "hidden_state.1"}), _place_of_states(())
    ('final norm', 'encoder')
    """
    layers = {int(name.partition(".")[2]) for name in exposed if "." in name}
    if not layers:
        return "encoder"
    last = max(layers)
    if len(layers) > 1 and [name for name in exposed if name.endswith(f".{last}")] == [f"hidden_state.{last}"]:
        return "final norm"
    return place_of(f"hidden_state.{last + 1}", exposed)


#: A kind of tensor -> the kinds in the same layer that it is computed from.
_MADE_OF = {
    "attention": ("query", "key"),
    "context": ("query", "key", "value"),
    "mid_state": ("context",),
    "hidden_state": ("mid_state",),
}


def hidden_segments(kind: str, layer: int, exposed: Collection[str]) -> Iterator[str]:
    """Yield the segments before a tensor's own in the same layer whose tensors the run does not expose."""
    for before in _MADE_OF.get(kind, ()) if exposed else ():
        if f"{before}.{layer}" not in exposed:
            yield from hidden_segments(before, layer, exposed)
            yield SEGMENTS[before]
