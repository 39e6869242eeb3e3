"""Read how sentence-transformers pools the hidden states of a text into its embedding.

sentence-transformers saves a model as the folder of its encoder, with a folder for each further module. Only the
pooling is read; normalization does not change a cosine. If no mode is named, sentence-transformers uses the mean.
"""

from dataclasses import dataclass, field
from pathlib import Path

from export.errors import BadInput, quoted
from export.model_folder import POOLING, read_pooling
from export.outside import is_folder

#: Mode -> its setting in sentence-transformers 2 to 4, in the order in which the results of several modes are joined.
#: Newer versions name the mode itself.
_MODES = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


@dataclass(frozen=True)
class Pooling:
    """How the embeddings of texts are made from an encoder's hidden states.

    modes: the modes of sentence-transformers, whose results are joined.
    left_out: the folders of further modules, which are not applied.
    """

    modes: list[str] = field(default_factory=lambda: ["mean"])
    left_out: list[str] = field(default_factory=list)


def pooling_of(folder: Path) -> Pooling:
    """Return the pooling of a model's folder.

    Raises `BadInput` if its configuration cannot be read, or names a mode that is unknown or another one twice.
    """
    others = sorted(path.name for path in folder.glob("[1-9]_*") if is_folder(path))
    left_out = [name for name in others if not name.endswith(("_Pooling", "_Normalize"))]
    settings = read_pooling(folder)
    named = settings.get("pooling_mode", [mode for mode, setting in _MODES.items() if settings.get(setting)])
    modes = named if isinstance(named, list) else [named]
    if unknown := [mode for mode in modes if mode not in tuple(_MODES)]:
        raise BadInput(
            f"{folder / POOLING} names an unknown pooling mode {quoted(unknown[0])}; known: {', '.join(_MODES)}"
        )
    if len(set(modes)) < len(modes):
        raise BadInput(f"{folder / POOLING} names a pooling mode twice: {quoted(modes)}; name each mode once")
    return Pooling(modes or ["mean"], left_out)
