"""The names of a comparison's stages, which its progress shows, in order."""

from compare.pipeline.context import ModelRun, Run

CONVERSIONS = "conversions"
GOLDEN = "golden"
TRACES = "traces"
SECOND_LOOK = "second look"
LOADING = "loading"
ROUNDS = "rounds"
INTERFERENCE = "interference"
GRID = "grid"
RERUNS = "reruns"
DECODING = "decoding"
DECODE_CHECKS = "decode checks"


def stages_of(run: Run) -> list[str]:
    """Return the stages that a run will have. Conversions and a second look are rare, so they are not among them."""
    stages = [GOLDEN] if isinstance(run, ModelRun) else []
    stages.append(TRACES)
    if run.checks.latency:
        stages += [LOADING, ROUNDS]
        stages += [INTERFERENCE] if run.latency.interference else []
        stages += [GRID] if run.grid else []
        stages.append(RERUNS)
    if isinstance(run, ModelRun) and run.decoders:
        stages += [LOADING, DECODING, DECODE_CHECKS]
    return stages
