"""The report, which contains everything that a comparison measured, and nothing that can be computed from that.

pydantic writes it as `report.json`. `SCHEMA` increases with every change that makes reports unreadable for older
versions.
"""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from compare.report.consistency import contradiction
from compare.report.formatting import output_word
from compare.report.older import updated
from compare.report.reading import report_json
from compare.report.serialized import as_json, indented
from compare.results.circumstances import ComparedModel, Controls, Environment, Head, ModelInput, Ruler
from compare.results.latency import DecodeRow, Disturbance, GridCell, InterferenceRow, LastPositionRow, LatencyRow
from compare.results.machine_limits import MachineLimits
from compare.results.reruns import ExporterComparison, ObserverEffect, RerunGaps
from compare.results.runtimes import RuntimeResult, output_among
from compare.results.verdict_limits import LIMITS, Limits
from compare.results.verdicts import VerdictWord, rank, reaches
from export.errors import BadInput
from export.outside import is_folder, present
from export.printing import printable
from export.sealed import opened, sealed, without_seal

#: The version of the schema of `report.json`.
SCHEMA = 11

#: The name of the report's file in its folder.
REPORT_FILE = "report.json"

#: The name of the file with the attention of all heads (`compare.report.head_maps`).
MAPS_FILE = "maps.npz"

#: The name of the page.
PAGE_FILE = "report.html"


class Report(BaseModel):
    """Everything that one comparison measured."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="strings", protected_namespaces=())

    schema_version: int = SCHEMA
    run_id: str = ""  # the name of the folder that it was written to; empty in older reports
    created: str  # the time at which it was made, in UTC
    quick: bool  # whether `--quick` was given
    seed: int  # of the order of turns, and of the intervals
    time_s: float  # the time limit of the rounds
    precision: float  # the share of itself to which each ratio was to be known
    model: ComparedModel | None  # None if two ONNX files were compared
    input: ModelInput
    environment: Environment
    ruler: Ruler | None  # None if two ONNX files were compared
    controls: Controls | None = None
    fail_on: VerdictWord = "different"  # the mildest verdict that fails the run
    verdict_limits: Limits = LIMITS  # the limits by which verdicts were reached, the same in older reports
    runtimes: list[RuntimeResult]
    latency: list[LatencyRow]  # empty if nothing was timed
    rounds: int  # rounds of forward passes
    shifts: int = 1  # groups in which the runtimes were timed; above 1 if memory could not hold all at once
    disturbance: Disturbance | None = None  # of all turns; None if nothing was timed
    last: LastPositionRow | None = None
    decoding: list[DecodeRow] = Field(default_factory=list)
    decode_rounds: int = 0
    limits: MachineLimits | None = None  # None if two ONNX files were compared
    interference: list[InterferenceRow] = Field(default_factory=list)  # empty if it was not asked for
    grid: list[GridCell] = Field(default_factory=list)  # empty if it was not asked for
    exporters: ExporterComparison | None = None
    self_gaps: list[RerunGaps] = Field(default_factory=list)
    observer: ObserverEffect | None = None
    heads: list[Head]
    phases: dict[str, float] = Field(default_factory=dict)  # phase of the run -> seconds
    notes: list[str] = Field(default_factory=list)  # what a reader must know first, such as random weights
    # the command, or the call in Python, that made it; None if an argument, such as a loaded model, cannot be written
    command: str | None = None

    _folder: Path | None = PrivateAttr(default=None)
    _maps: Any = PrivateAttr(default=None)  # its open maps of attention (`compare.report.head_maps`)

    @model_validator(mode="before")
    @classmethod
    def _of_any_schema(cls, report: Any) -> Any:
        return updated(without_seal(report), SCHEMA)

    def __repr__(self) -> str:
        size = f"{self.input.batch} x {self.input.sequence} {self.token_word}"
        shown = f"<Report of {self.created}: {self.subject}, {size}, {len(self.runtimes)} runtimes, {self.worst}>"
        return printable(shown)

    def __str__(self) -> str:
        """Return the screen of the report as plain text."""
        text: str = import_module("compare.report.render.terminal").as_text(self)
        return text

    def _repr_html_(self) -> str:
        """Return the screen of the report as HTML, which a notebook shows."""
        html: str = import_module("compare.report.render.notebook").to_html(self)
        return html

    @property
    def folder(self) -> Path | None:
        """The folder that it was written to or read from, which also holds maps and figures; None if there is none."""
        return self._folder

    @property
    def token_word(self) -> str:
        """The word for the positions of the input: "tokens", or "bytes" if there is no vocabulary."""
        return "bytes" if self.model is None or self.model.tokens_are == "bytes" else "tokens"

    @property
    def output(self) -> str:
        """The name of the output that is compared: "logits", or "last_hidden_state" for encoders."""
        if self.model is not None:
            return self.model.output
        return output_among(self.runtimes)

    @property
    def output_word(self) -> str:
        """The word for an element of the output: "logit", or "output" for encoders."""
        return output_word(self.output)

    @property
    def subject(self) -> str:
        """The subject of the comparison: the model's provenance, or the names of two ONNX files."""
        if self.model is not None:
            return self.model.provenance
        return " against ".join(runtime.graph.file for runtime in reversed(self.runtimes) if runtime.graph)

    @property
    def fails_from(self) -> VerdictWord:
        """The mildest verdict that fails the run. Without a model it is "broken", because no other failure can be
        judged."""
        return "broken" if self.model is None else self.fail_on

    def beyond(self, runtime: RuntimeResult | RerunGaps | DecodeRow) -> str | None:
        """Return why a runtime, its timed graph or its cache is not to be trusted; None if its verdict is milder."""
        verdict = runtime.verdict
        return verdict.sentence if verdict and reaches(verdict.kind, self.fails_from) else None

    @property
    def untrusted(self) -> dict[str, str]:
        """Runtime -> why its forward pass is not to be trusted, as traced with every tap exposed or as timed."""
        found = {runtime.name: why for runtime in self.runtimes if (why := self.beyond(runtime)) is not None}
        for row in self.self_gaps:
            if (why := self.beyond(row)) is not None:
                found.setdefault(row.runtime, f"as it was timed, it is {why}")
        return found

    @property
    def lowered(self) -> set[str]:
        """The runtimes in a lower precision that the user did not name. Their verdicts do not fail the run."""
        return {runtime.name for runtime in self.runtimes if runtime.precision != "float32" and not runtime.named}

    @property
    def worst(self) -> str | None:
        """The worst verdict of those that count for the exit code; None if nothing was judged."""
        judged = [(runtime.name, runtime.verdict) for runtime in self.runtimes]
        judged += [(row.runtime, row.verdict) for row in self.self_gaps]
        judged += [(row.runtime, row.verdict) for row in self.decoding]
        kinds = [verdict.kind for name, verdict in judged if verdict and name not in self.lowered]
        return max(kinds, key=rank, default=None)

    def exit_code(self) -> int:
        """Return 1 if a runtime or its cache is not to be trusted, else 3 if a named one did not run, else 0.

        Verdicts on runtimes in `lowered` do not count. A runtime that only decodes did not run if its decoding failed.
        """
        if self.untrusted.keys() - self.lowered:
            return 1
        if any(self.beyond(row) for row in self.decoding if row.runtime not in self.lowered):
            return 1
        rows = {runtime.name for runtime in self.runtimes}
        failed = any(runtime.error and runtime.named for runtime in self.runtimes)
        return 3 if failed or any(row.error and row.named for row in self.decoding if row.runtime not in rows) else 0

    def write(self, folder: Path) -> None:
        """Write `report.json` into a folder, whole or not at all."""
        partial = folder / f".{REPORT_FILE}.partial"
        content = sealed(json.loads(as_json(self)))
        partial.write_text(indented(content) + "\n", encoding="utf-8")
        partial.replace(folder / REPORT_FILE)
        self._folder = folder

    @classmethod
    def read(cls, path: Path) -> "Report":
        """Read a report from its file or folder.

        Raises `BadInput` if there is none, or if it is not a valid report of this version or an older one.
        """
        path = path / REPORT_FILE if is_folder(path) else path
        if not present(path, "report"):
            raise BadInput(f"no report at {path}; python -m compare --out FOLDER writes one to a folder")
        content = report_json(path, SCHEMA)
        try:
            report = cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(step) for step in first["loc"])
            raise BadInput(
                f"{path} is no report of schema {SCHEMA}: {place[:200] or 'file'}: {first['msg']}"
            ) from error
        if why := contradiction(report):
            raise BadInput(f"{path} is no report of schema {SCHEMA}: {why}; it was damaged or altered")
        try:
            opened(content)
        except ValueError as error:
            raise BadInput(f"{path} has changed since it was written: {error}; make the report again") from error
        report._folder = path.parent
        return report
