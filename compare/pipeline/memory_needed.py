"""The memory that a comparison needs, computed from sizes alone before anything runs.

The numerics process needs the most. It holds the model in float64 and in float32, golden (float64), the tensors of one
control or runtime (float32), and their replay (float64, with its inputs). While a block of the model runs, it also
holds what that computes: scores and weights for every pair of positions, a few tensors of four times the hidden size,
or the logits.
"""

from compare.pipeline.shapes import Shape
from export.errors import BadSetting, CannotRun
from export.kinds import LOGITS
from export.manifest import ModelFacts
from export.memory import available_bytes

#: Bytes of a process that has imported torch and transformers, and of the other processes of a comparison.
LIBRARIES, OTHERS = 500e6, 500e6

#: Bytes that the numerics process needs for each parameter, and for each number in the tensors that are compared.
PARAMETER, TENSOR = 12, 28

#: Bytes that a process which is timed needs for each parameter.
TIMED_PARAMETER = 8

#: Bytes that are needed for each byte of an ONNX file and its weights, to read and to run them.
FILE = 3

#: Bytes that a process which runs an ONNX file may take beside this many times what it should need.
FILE_ROOM, FILE_TIMES = 2e9, 4

#: Bytes of a number that a block computes.
NUMBER = 8


def tensor_numbers(facts: ModelFacts, shape: Shape) -> int:
    """Return how many numbers are in the tensors of a model that are compared.

    facts: of the model, from the manifest of a cache entry. shape: of the input.
    """
    heads, key_heads = facts["heads"] * facts["head_dim"], facts["key_value_heads"] * facts["head_dim"]
    layer = 2 * facts["hidden"] + 2 * heads + 2 * key_heads + facts["heads"] * shape.sequence
    return shape.batch * shape.sequence * (facts["layers"] * layer + facts["hidden"] + output_width(facts))


def block_numbers(facts: ModelFacts, shape: Shape) -> int:
    """Return how many numbers a model holds at most while one of its blocks runs: an attention, an MLP or the head."""
    attention, mlp, head = 4 * facts["heads"] * shape.sequence, 16 * facts["hidden"], 2 * output_width(facts)
    return shape.batch * shape.sequence * max(attention, mlp, head)


def output_width(facts: ModelFacts) -> int:
    """Return how many numbers the model's output has for each position."""
    return facts["vocabulary"] if facts["output"] == LOGITS else facts["hidden"]


def comparison_bytes(facts: ModelFacts, shape: Shape) -> float:
    """Return about how many bytes the comparison of a model on an input needs at once.

    >>> small = {"layers": 4, "heads": 4, "key_value_heads": 4, "head_dim": 16, "hidden": 64, "vocabulary": 256}
    >>> f"{comparison_bytes(small | {'parameters': 250_000, 'output': 'logits'}, Shape(512, 64)) / 1e9:.1f} GB"
    '12.4 GB'
    """
    held = TENSOR * tensor_numbers(facts, shape) + NUMBER * block_numbers(facts, shape)
    return LIBRARIES + OTHERS + PARAMETER * facts["parameters"] + held


def timed_bytes(facts: ModelFacts, shape: Shape) -> float:
    """Return about how many bytes a timed process of a model needs for an input."""
    return LIBRARIES + TIMED_PARAMETER * facts["parameters"] + NUMBER * block_numbers(facts, shape)


def check_comparison(facts: ModelFacts, shape: Shape, file_bytes: int = 0) -> None:
    """Raise `BadInput` if the comparison of a model on an input needs more memory than there is.

    file_bytes: size of the ONNX file that is compared with it, and of its weights. Raises `CannotRun` if even one token
    would need more.
    """
    needed, least = (comparison_bytes(facts, each) + FILE * file_bytes for each in (shape, Shape(1, 1)))
    _check(needed, least, shape, "{batch} or {sequence}")


def check_grid_memory(facts: ModelFacts, shape: Shape) -> None:
    """Raise `BadInput` if timing a shape of the grid needs more memory than there is."""
    _check(timed_bytes(facts, shape), 0, shape, "what {grid} asks for")


def check_file(file_bytes: int, width: int, shape: Shape) -> None:
    """Raise `BadInput` if running an ONNX file without a model certainly needs more memory than there is.

    file_bytes: size of the file and of its weights. width: numbers of its output for each position. Raises `CannotRun`
    if its weights alone need more.
    """
    least = LIBRARIES + FILE * file_bytes
    _check(least + NUMBER * width * shape.batch * shape.sequence, least, shape, "{batch} or {sequence}")


def file_limit(file_bytes: int, numbers: int) -> float:
    """Return the bytes that a process may take to run an ONNX file: several times what a file of a model needs.

    file_bytes: size of the file and of its weights. numbers: in the tensors that it gives. A file may ask for any
    amount of memory, and that of a model asks for little more than its weights and its tensors.
    """
    return FILE_ROOM + FILE_TIMES * (FILE * file_bytes + NUMBER * numbers)


def gigabytes(size: float) -> str:
    """Return a size in words.

    >>> gigabytes(12.34e9), gigabytes(3.2e15)
    ('12.3 GB', '3,200,000.0 GB')
    """
    return f"{size / 1e9:,.1f} GB"


def _check(needed: float, least: float, shape: Shape, settings: str) -> None:
    """Raise an error if more is needed than there is. least: what any input needs. settings: those to lower."""
    free = available_bytes()
    if least > free:
        raise CannotRun(
            f"the weights alone need about {gigabytes(least)} of memory, and {gigabytes(free)} are free; end other "
            "programs, or use another machine"
        )
    if needed > free:
        raise BadSetting(
            f"an input of {shape.batch:,} x {shape.sequence:,} tokens needs about {gigabytes(needed)} of memory, and "
            f"{gigabytes(free)} are free; lower {settings}"
        )
