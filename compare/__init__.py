"""Compare a transformer across runtimes: is it still the same model, where does it differ, and which to deploy?

The functions of `compare.model_utils` are imported when they are first used, so `import compare` is fast.

pytest rewrites the asserts in packages that have a pytest plugin, and warns if such a package is already imported. This
file has no asserts, so it opts out: PYTEST_DONT_REWRITE.
"""

import sys

#: The folder that `python -m compare` put first on the search path, the working folder, and that is removed before the
#: first import: a file random.py in it would be imported as Python's own. None if this was not started so.
working_folder = None
_started = ("-m", "compare") in zip(sys.orig_argv, sys.orig_argv[1:], strict=False)
if _started and sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    working_folder = sys.path.pop(0)

from importlib import import_module
from typing import TYPE_CHECKING, Any

from compare.attention.layout import adapt_dimensions
from compare.attention.reference import reference_attention
from compare.attention.streaming import streaming_attention

if TYPE_CHECKING:
    from compare.model_utils import (
        compare_attention_implementations,
        load_mini_transformer,
        visualize_model_comparison,
    )

__all__ = [
    "adapt_dimensions",
    "compare_attention_implementations",
    "load_mini_transformer",
    "reference_attention",
    "streaming_attention",
    "visualize_model_comparison",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'compare' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module("compare.model_utils"), name)
