"""The registry of runtimes, which lists them by name without importing them.

A runtime is a class (`compare.runtimes.spec.Runtime`) in its own file, with an entry in `BUILT_IN` or an entry point in
the group `onnx_attention_compare.runtimes` whose value is a `Spec`. A runtime whose packages are missing is listed with
the command that installs them, and an entry point that cannot be read with its error. Other runtimes are not affected.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any

from compare.lazy import TORCH_LIBRARIES
from compare.processes.virtual_environment import VirtualEnvironment
from compare.runtimes.npm_packages import NpmPackages
from compare.runtimes.spec import ALL_GRAPHS, CHILD_REQUIREMENTS, DEVICES, Graph, Option, Spec
from export.errors import BadInput, CannotRun, near
from export.extras import install_command

ENTRY_POINTS = "onnx_attention_compare.runtimes"
BASELINE = "torch-eager"

#: The runtime that runs the graphs of both exporters if two are compared.
GRAPH_RUNTIME = "onnxruntime"

_DECODES: tuple[Graph, ...] = ("inspect", "deploy", "decode")
_CLASSES = "compare.runtimes"

_TORCH = (
    Option(
        "matmul_precision",
        "`torch.set_float32_matmul_precision`; on a GPU, high and medium use TF32",
        ("highest", "high", "medium"),
    ),
)
_SDPA = (
    *_TORCH,
    Option("kernel", "the kernel of `scaled_dot_product_attention`", ("math", "flash", "efficient", "cudnn")),
)
_MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")
_ONNX_RUNTIME = (
    Option("provider", "the execution provider; `--provider` adds a row with it"),
    Option("plugin", "a plug-in with an execution provider, a package or a file; `--provider` adds a row with it"),
    Option("provider.*", "an option of the execution provider, such as `provider.use_tf32`"),
    Option("*", "an entry of the session's configuration, such as `session.intra_op.allow_spinning`"),
)


def _torch(name: str, class_name: str, summary: str, *, module: str = "torch_runtimes", **more: Any) -> Spec:
    """Return the entry of a runtime that runs transformers' model in torch."""
    given: Any = {"engine": "torch", "libraries": TORCH_LIBRARIES, "devices": DEVICES, "options": _TORCH} | more
    target = f"{_CLASSES}.{module}:{class_name}"
    return Spec(name, target, summary, ("torch", "transformers"), "pip install torch transformers", **given)


def _onnx_runtime(name: str, class_name: str, summary: str, **more: Any) -> Spec:
    """Return the entry of a runtime that runs a graph in ONNX Runtime."""
    usual: Any = {"engine": "ONNX Runtime", "libraries": ("onnxruntime",), "graphs": _DECODES, "default": False}
    given = usual | {"devices": DEVICES, "options": _ONNX_RUNTIME} | more
    target = f"{_CLASSES}.onnx_runtime:{class_name}"
    return Spec(name, target, summary, ("onnxruntime",), "pip install onnxruntime", **given)


def _converted(name: str, function: str, summary: str, **more: Any) -> Spec:
    """Return the entry of a runtime that runs a converted graph in ONNX Runtime."""
    return _onnx_runtime(name, "OnnxRuntime", summary, converter=f"{_CLASSES}.onnx_conversions:{function}", **more)


def _openvino(name: str, class_name: str, summary: str, precision: str) -> Spec:
    """Return the entry of a runtime that runs a graph in OpenVINO."""
    target = f"{_CLASSES}.openvino_runtime:{class_name}"
    options = (Option("*", "a property of `compile_model`, such as `NUM_STREAMS`"),)
    given: Any = {"engine": "OpenVINO", "graphs": _DECODES, "default": False, "options": options}
    return Spec(name, target, summary, ("openvino",), install_command("engines"), precision=precision, **given)


def _ctranslate2(name: str, class_name: str, summary: str, precision: str) -> Spec:
    """Return the entry of a runtime that runs the model in CTranslate2."""
    module = f"{_CLASSES}.ctranslate2_runtime"
    options = (Option("*", "an argument of `Generator`, such as `flash_attention`"),)
    usual: Any = {"engine": "CTranslate2", "graphs": _DECODES, "exposes": "logits", "default": False}
    return Spec(
        name,
        f"{module}:{class_name}",
        summary,
        ("ctranslate2", "transformers"),
        install_command("engines"),
        precision=precision,
        converter=f"{module}:convert",
        options=options,
        **usual,
    )


def _javascript(name: str, target: str, summary: str, package: str, *, browser: bool = False) -> Spec:
    """Return the entry of a runtime that runs a graph in an npm package."""
    packages = ("playwright", "onnx") if browser else ("onnx",)
    extra = f"{install_command('web')} && " if browser else ""
    install = f"{extra}python -m compare runtimes --install {name}"
    engine = "ONNX Runtime" if package == "onnxruntime-node" else "ONNX Runtime Web"
    given: Any = {"engine": engine, "graphs": _DECODES, "default": False, "npm": NpmPackages(package, browser)}
    return Spec(name, f"{_CLASSES}.javascript.{target}", summary, packages, install, **given)


BUILT_IN = (
    _torch(BASELINE, "TorchEager", "transformers' own attention in torch; the baseline", graphs=ALL_GRAPHS),
    _torch("torch-sdpa", "TorchSdpa", "torch's fused attention", graphs=ALL_GRAPHS, options=_SDPA),
    _torch("torch-reference", "TorchReference", "the reference attention in torch"),
    _torch(
        "numpy-reference",
        "NumpyReference",
        "the reference attention in NumPy, the rest in torch",
        engine="NumPy",
        hybrid=True,
        devices=("cpu",),
    ),
    _onnx_runtime(GRAPH_RUNTIME, "OnnxRuntime", "the exported graph in ONNX Runtime", graphs=ALL_GRAPHS, default=True),
    Spec(
        "optimum",
        "compare.runtimes.optimum_onnxruntime:OptimumOnnxRuntime",
        "the exported graph in optimum's ORTModelForCausalLM",
        ("onnxruntime", "optimum.onnxruntime"),
        install_command("optimum"),
        engine="ONNX Runtime",
        graphs=_DECODES,
        exposes="logits",
        libraries=TORCH_LIBRARIES,
    ),
    _torch(
        "torch-compile",
        "TorchCompile",
        "torch's fused attention, compiled by torch.compile",
        module="torch_compile",
        exposes="logits",
        default=False,
        options=(*_SDPA, Option("mode", "the mode of `torch.compile`", _MODES)),
    ),
    _torch(
        "torch-bf16",
        "TorchBf16",
        "torch-eager with all weights and activations in bf16",
        precision="bf16",
        graphs=ALL_GRAPHS,
        default=False,
    ),
    _torch(
        "torch-fp16",
        "TorchFp16",
        "torch-eager with all weights and activations in fp16",
        precision="fp16",
        graphs=ALL_GRAPHS,
        default=False,
    ),
    _onnx_runtime("onnxruntime-unoptimized", "OnnxRuntimeUnoptimized", "without graph optimizations"),
    _onnx_runtime("onnxruntime-basic", "OnnxRuntimeBasic", "with basic graph optimizations"),
    _onnx_runtime("onnxruntime-extended", "OnnxRuntimeExtended", "with extended graph optimizations"),
    _converted("onnxruntime-fused", "fused", "fused by ONNX Runtime's optimizer for transformers", exposes="logits"),
    _onnx_runtime(
        "onnxruntime-attention",
        "OnnxRuntime",
        "with each attention as one Attention operator of ONNX",
        converter=f"{_CLASSES}.onnx_attention:convert",
    ),
    _converted("onnxruntime-int8", "int8", "with weights and activations quantized to 8 bits", precision="int8"),
    _converted("onnxruntime-int4", "int4", "with weights quantized to 4 bits", precision="int4"),
    _openvino("openvino", "OpenVino", "the exported graph in OpenVINO, in float32", "float32"),
    _openvino("openvino-default", "OpenVinoDefault", "in the precision that OpenVINO chooses", "any"),
    Spec(
        "onnx-reference",
        "compare.runtimes.onnx_reference:OnnxReference",
        "the exported graph in ONNX's reference evaluator",
        ("onnx",),
        "pip install onnx",
        engine="NumPy",
        default=False,
    ),
    Spec(
        "jax",
        "compare.runtimes.jax_runtime:Jax",
        "GPT-2 or Llama written in JAX, compiled as a whole",
        ("jax",),
        install_command("engines"),
        engine="XLA",
        devices=DEVICES,
        graphs=ALL_GRAPHS,
        default=False,
    ),
    Spec(
        "tract",
        f"{_CLASSES}.tract_runtime:Tract",
        "the exported graph in tract, with one thread",
        ("tract", "onnx"),
        install_command("engines"),
        engine="tract",
        graphs=("inspect", "deploy", "deploy-last"),
        default=False,
        converter=f"{_CLASSES}.tract_runtime:convert",
    ),
    Spec(
        "mnn",
        f"{_CLASSES}.mnn_runtime:Mnn",
        "the exported graph in MNN's own format",
        ("MNN",),
        "python -m compare runtimes --install mnn",
        engine="MNN",
        graphs=ALL_GRAPHS,
        exposes="no attention",
        default=False,
        options=(Option("precision", "MNN's precision mode", ("high", "normal", "low")),),
        converter=f"{_CLASSES}.mnn_runtime:convert",
        environment=VirtualEnvironment("mnn", ("mnn==3.6.1", *CHILD_REQUIREMENTS)),
    ),
    _ctranslate2("ctranslate2", "CTranslate2", "the model in CTranslate2's own format", "float32"),
    _ctranslate2("ctranslate2-int8", "CTranslate2Int8", "with linear maps quantized to 8 bits", "int8"),
    _javascript(
        "onnxruntime-web",
        "page:OnnxRuntimeWeb",
        "in WebAssembly, in a headless Chromium",
        "onnxruntime-web",
        browser=True,
    ),
    _javascript("onnxruntime-web-node", "node:OnnxRuntimeWebNode", "in WebAssembly, under Node", "onnxruntime-web"),
    _javascript("onnxruntime-node", "node:OnnxRuntimeNode", "in ONNX Runtime's addon for Node", "onnxruntime-node"),
)


@dataclass(frozen=True)
class Listing:
    """All listed runtimes.

    specs: name -> runtime.
    broken: name of an entry point that could not be read -> its error.
    """

    specs: Mapping[str, Spec]
    broken: Mapping[str, str]


@cache
def listing() -> Listing:
    """Return the built-in runtimes and those of other packages. A built-in runtime hides others of the same name."""
    specs: dict[str, Spec] = {}
    broken: dict[str, str] = {}
    for point in metadata.entry_points(group=ENTRY_POINTS):
        try:
            spec = point.load()
            if not isinstance(spec, Spec):
                raise TypeError(f"{point.value} is a {type(spec).__name__}, not a compare.runtimes.spec.Spec")
            specs[spec.name] = spec
        except Exception as error:  # code of another package may raise anything
            broken[point.name] = f"{type(error).__name__}: {error}"
    return Listing({spec.name: spec for spec in BUILT_IN} | {n: s for n, s in specs.items() if n not in _NAMES}, broken)


_NAMES = {spec.name for spec in BUILT_IN}


def spec_of(name: str) -> Spec:
    """Return the runtime of that name.

    Raises `BadInput` with near matches if the name is unknown, `CannotRun` if its entry point cannot be read.
    """
    found = listing()
    if name in found.specs:
        return found.specs[name]
    if name in found.broken:
        raise CannotRun(f"runtime {name} is broken: {found.broken[name]}; report this to the authors of its package")
    raise BadInput(f"unknown runtime {name!r}; {near(name, found.specs)}; python -m compare runtimes lists them")
