"""The layout of a model: which of its tensors are tapped, and the modules at which they are."""

from dataclasses import dataclass

from export.kinds import LOGITS, output_phrase

#: The kinds of taps of a layer, in the order in which they are computed.
KINDS = ("hidden_state", "query", "key", "value", "attention", "context", "mid_state")


@dataclass(frozen=True)
class Layer:
    """One layer of a model, by the paths of its modules.

    block: the layer itself.
    attends: whether it calls transformers' attention interface, which exposes query, key, value, attention and context.
    projection: the module whose input is the context of a layer that does not; empty if there is none.
    middle: the module whose input is the mid state; empty if there is none.
    maps: the linear maps to query, key and value of a layer that does not call the interface; empty if it has no such
        maps, or if its attention cannot be computed from them.
    """

    block: str
    attends: bool
    projection: str = ""
    middle: str = ""
    maps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """The taps of a model.

    layers: empty if only the output can be compared.
    replaceable: whether the reference attention can replace the model's own.
    returned: whether transformers returns the attention of layers that do not call its interface.
    output: the name of the model's output (`export.kinds`).
    ends: whether the output is that of the last layer, without a norm or a head, as in BERT.
    """

    layers: tuple[Layer, ...] = ()
    replaceable: bool = False
    returned: bool = False
    output: str = LOGITS
    ends: bool = False

    def names(self, *, probabilities: bool = True) -> list[str]:
        """Return the names of the taps, in the order in which they are computed.

        probabilities: whether to include `attention.i`.
        """
        names = []
        for i, layer in enumerate(self.layers):
            exposed = {
                "hidden_state": True,
                **dict.fromkeys(("query", "key", "value"), layer.attends or bool(layer.maps)),
                "attention": probabilities and (layer.attends or self.returned),
                "context": layer.attends or bool(layer.projection),
                "mid_state": bool(layer.middle),
            }
            names += [f"{kind}.{i}" for kind in exposed if exposed[kind]]
        last = [f"hidden_state.{len(self.layers)}"] if self.layers and not self.ends else []
        return [*names, *last, self.output]

    @property
    def own_attention(self) -> bool:
        """Whether the model has attention that the reference attention cannot replace."""
        return not self.replaceable and (self.returned or any(layer.attends for layer in self.layers))

    def notes(self) -> list[str]:
        """Return the sentences that every report on the model shows; empty if every tap is exposed.

        >>> Layout().notes()
        ['compared on logits: nothing inside the model is exposed']
        >>> print(*Layout((Layer("h.0", False, "h.0.out", "h.0.norm"),), returned=True).notes(), sep="\\n")
        attention is transformers' own, in golden too: it cannot be replaced by the reference attention in this model
        not exposed: query, key, value; a segment that ends there is replayed as one with the next segment
        """
        if not self.layers:
            return [f"compared on {output_phrase(self.output)}: nothing inside the model is exposed"]
        notes = []
        if self.own_attention:
            notes.append(
                "attention is transformers' own, in golden too: it cannot be replaced by the reference attention in "
                "this model"
            )
        there = {name.partition(".")[0] for name in self.names()}
        if missing := [kind.replace("_", " ") for kind in KINDS if kind not in there]:
            notes.append(
                f"not exposed: {', '.join(missing)}; a segment that ends there is replayed as one with the next segment"
            )
        return notes
