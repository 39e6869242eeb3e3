"""Create the fields of the report from results, except for latency: one function for each field."""

import platform
from datetime import UTC, datetime
from typing import Any

from compare import machine
from compare.pipeline.context import Run
from compare.pipeline.inputs import Inputs
from compare.results.circumstances import ComparedModel, Environment, ModelInput, PaddedInput
from export.cache import Entry


def circumstances(run: Run) -> dict[str, Any]:
    """Return the report's simple fields, which say when and how the comparison ran."""
    return {
        "run_id": run.out.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": run.checks.quick,
        "seed": run.latency.seed,
        "time_s": run.time,
        "precision": run.latency.precision,
        "fail_on": run.checks.fail_on,
        "command": run.output.command,
    }


def model_part(entry: Entry, *, asked_for: str) -> ComparedModel:
    """Return the report's description of the model.

    asked_for: the name that was given. For a folder or a loaded model, the name of its source is used, so that there
    are no paths in it.
    """
    manifest = entry.manifest
    source = manifest.source
    facts: dict[str, Any] = {**manifest.model}
    return ComparedModel(
        name=source.name,
        asked_for=source.name if source.kind in ("folder", "module") else asked_for,
        provenance=source.label,
        trained=source.trained,
        entry=entry.folder.name,
        tokens_are=facts.pop("tokens"),
        exporter=manifest.exporter,
        opset=manifest.opset,
        graph_bytes=entry.bytes,
        **facts,
    )


def input_part(inputs: Inputs, padded: Inputs | None = None) -> ModelInput:
    """Return the report's description of the input. padded: the padded input, if there was one."""
    batch, sequence = inputs.input_ids.shape
    return ModelInput(
        batch=batch,
        sequence=sequence,
        padding=inputs.padding,
        tokens=inputs.tokens,
        sha256=inputs.sha256,
        padded=padded_part(padded) if padded else None,
    )


def padded_part(padded: Inputs) -> PaddedInput:
    """Return the report's description of the padded input."""
    longest, *_, shortest = sorted(padded.attention_mask.sum(axis=1).tolist(), reverse=True)
    return PaddedInput(sequences=len(padded.input_ids), longest=longest, shortest=shortest, sha256=padded.sha256)


def environment_part(threads: int, cpus: list[int] | None, device: str) -> Environment:
    """Return the report's description of machine and software.

    cpus: the CPUs that timed processes are pinned to. device: what the baseline computes on.
    """
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        processor=machine.processor(),
        cores=machine.cores(),
        memory_bytes=machine.memory_bytes(),
        threads=threads,
        cpus=cpus,
        device=device,
        gpus=machine.gpus() if device == "cuda" else [],
        packages=machine.package_versions(),
        commit=machine.commit(),
    )
