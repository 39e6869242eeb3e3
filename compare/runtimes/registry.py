"""The runtimes there are, by name, without importing any of them.

A runtime is one file with one class (see `Runtime`) and one line in `BUILT_IN`, or an entry point in the group
`onnx_attention_compare.runtimes` whose value is a `Spec`. One that is not installed stays listed with the command that
installs it, one that is broken with its error; neither stops the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from compare.lazy import Listed
from export.errors import BadInput, CannotRun, near

if TYPE_CHECKING:  # listing the runtimes is to work where not even NumPy is
    from numpy.typing import NDArray

ENTRY_POINTS = "onnx_attention_compare.runtimes"
BASELINE = "torch-eager"

#: What of a model is loaded, by the names of the files in a cache entry (`export.graphs`): all taps, the logits of all
#: positions, those of the last one, or what goes on from keys and values that were kept.
Graph = Literal["inspect", "deploy", "deploy-last", "decode"]

#: Runs the graphs of two exporters side by side, where two are compared.
GRAPH_RUNTIME = "onnxruntime"


class Runtime(Protocol):
    """A loaded model that can be run, made from the folder of a cache entry: graphs, weights and configuration.

    Of the graph "inspect" a run returns every tensor of `export.taps.tap_names` that the runtime exposes, of every
    other `logits` alone; `threads` is the number of threads it may compute with. It is asked for none but the graphs of
    its `Spec`, and one that can be asked for "decode" is a `Decoder`. Libraries are imported at the top of its file, so
    that importing and loading can be told apart.
    """

    def __init__(self, folder: Path, *, threads: int, graph: Graph) -> None: ...

    def run(self, input_ids: "NDArray[Any]", attention_mask: "NDArray[Any]") -> "dict[str, NDArray[Any]]":
        """One forward pass: int64 (batch, sequence) both; the named outputs, logits (batch, sequence, vocabulary), and
        of deploy-last (batch, 1, vocabulary). Padding may be on either side; position ids are those of
        `export.positions.positions_of`."""

    def facts(self) -> dict[str, str]:
        """Versions and settings worth keeping beside the result."""

    def operators(self, input_ids: "NDArray[Any]", attention_mask: "NDArray[Any]") -> dict[str, int]:
        """How often each operator runs in one pass of the graph as it was optimized; empty where there is no graph."""

    def close(self) -> None:
        """Let go of the model."""


class Decoder(Runtime, Protocol):
    """A runtime that keeps keys and values of what it has seen, where it was loaded with the graph "decode".

    Its `run` is then the prefill: whatever was kept before is forgotten.
    """

    def step(self, input_ids: "NDArray[Any]", attention_mask: "NDArray[Any]") -> "dict[str, NDArray[Any]]":
        """One position more, or some: ids (batch, new), mask (batch, past + new), int64 both; logits (batch, new,
        vocabulary).

        Position ids are those of `export.positions.positions_of`, as in `run`.
        """


@dataclass(frozen=True)
class Spec(Listed):
    """A runtime as it is listed.

    hybrid: only the attention runs elsewhere; such a runtime is never timed. graphs: what it can be loaded with.
    """

    noun = "runtime"
    precision: str = "float32"
    hybrid: bool = False
    graphs: tuple[Graph, ...] = ("inspect", "deploy")

    def load_class(self) -> type[Runtime]:
        """Import the runtime's class. Raises `CannotRun` where it is not installed."""
        loaded: type[Runtime] = self.load()
        return loaded


ALL_GRAPHS: tuple[Graph, ...] = get_args(Graph)

_TORCH = ("torch", "transformers"), "pip install torch transformers"

BUILT_IN = (
    Spec(
        BASELINE,
        "compare.runtimes.torch_runtimes:TorchEager",
        "transformers' own attention in torch; the baseline",
        *_TORCH,
        graphs=ALL_GRAPHS,
    ),
    Spec(
        "torch-sdpa",
        "compare.runtimes.torch_runtimes:TorchSdpa",
        "torch's fused attention",
        *_TORCH,
        graphs=ALL_GRAPHS,
    ),
    Spec(
        "torch-reference",
        "compare.runtimes.torch_runtimes:TorchReference",
        "the reference attention in torch",
        *_TORCH,
        graphs=("inspect", "deploy"),
    ),
    Spec(
        "numpy-reference",
        "compare.runtimes.torch_runtimes:NumpyReference",
        "the reference attention in NumPy, the rest in torch",
        *_TORCH,
        hybrid=True,
    ),
    Spec(
        GRAPH_RUNTIME,
        "compare.runtimes.onnx_runtime:OnnxRuntime",
        "the exported graph in ONNX Runtime, on the CPU",
        ("onnxruntime",),
        "pip install onnxruntime",
        graphs=ALL_GRAPHS,
    ),
    Spec(
        "optimum",
        "compare.runtimes.optimum_onnxruntime:OptimumOnnxRuntime",
        "the exported graph in optimum's ORTModelForCausalLM; decodes, and nothing else",
        ("onnxruntime", "optimum.onnxruntime"),
        "pip install optimum-onnx",
        graphs=("decode",),
    ),
)


@dataclass(frozen=True)
class Listing:
    """All runtimes by name, and the entry points that could not be read, by name, with their error."""

    specs: Mapping[str, Spec]
    broken: Mapping[str, str]


@cache
def listing() -> Listing:
    """The built-in runtimes and those that other packages bring; the built-in ones win where names are the same."""
    specs: dict[str, Spec] = {}
    broken: dict[str, str] = {}
    for point in metadata.entry_points(group=ENTRY_POINTS):
        try:
            spec = point.load()
            if not isinstance(spec, Spec):
                raise TypeError(f"{point.value} is a {type(spec).__name__}, not a compare.runtimes.registry.Spec")
            specs[spec.name] = spec
        except Exception as error:  # someone else's code: whatever it raises, the list lives on
            broken[point.name] = f"{type(error).__name__}: {error}"
    return Listing({spec.name: spec for spec in BUILT_IN} | {n: s for n, s in specs.items() if n not in _NAMES}, broken)


_NAMES = {spec.name for spec in BUILT_IN}


def spec_of(name: str) -> Spec:
    """The runtime of that name. Raises `BadInput` with near matches for an unknown, `CannotRun` for a broken one."""
    found = listing()
    if name in found.broken:
        raise CannotRun(f"runtime {name} is broken: {found.broken[name]}; ask whoever ships it")
    if name not in found.specs:
        raise BadInput(f"unknown runtime {name!r}; {near(name, found.specs)}; python -m compare runtimes lists them")
    return found.specs[name]
