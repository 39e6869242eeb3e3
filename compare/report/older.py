"""Update reports of older schemas, so that they can still be read: some fields were regrouped or dropped."""

from typing import Any

#: The fields of `limits.work` that were dropped after schema 9, because nothing read them.
DROPPED_WORK = ("prefill_last_flops", "decode_flops")


def updated(report: Any, schema: int) -> Any:
    """Return a report's JSON with the fields of the current schema.

    report: the JSON; it is returned unchanged unless it is a report of an older schema. schema: the current version.

    >>> work = {"prefill_flops": 9, "prefill_last_flops": 8, "decode_flops": 7, "decode_bytes": 6, "past": 5}
    >>> updated({"schema_version": 9, "limits": {"work": work}}, 10)["limits"]
    {'work': {'prefill_flops': 9, 'decode_bytes': 6, 'past': 5}}
    >>> rows = [{"alone": {"0": [7]}, "beside": {"0": [8]}}]
    >>> updated({"schema_version": 8, "interference": rows}, 10)["interference"]
    [{'alone': {'turns': {'0': [7]}}, 'beside': {'turns': {'0': [8]}}}]
    """
    version = report.get("schema_version") if isinstance(report, dict) else None
    if not isinstance(version, int) or version >= schema:
        return report
    changed = {**report, "schema_version": schema}
    if version <= 9 and _has(report, "limits", dict) and _has(report["limits"], "work", dict):
        work = {name: value for name, value in report["limits"]["work"].items() if name not in DROPPED_WORK}
        changed["limits"] = {**report["limits"], "work": work}
    if version <= 8 and _has(report, "interference", list):
        changed["interference"] = [_with_turns(row) for row in report["interference"]]
    return changed


def _with_turns(row: Any) -> Any:
    """Return a row of interference with its turns moved to the part that schema 9 introduced."""
    if not isinstance(row, dict):
        return row
    return row | {side: {"turns": row[side]} for side in ("alone", "beside") if _has(row, side, dict)}


def _has(part: dict[str, Any], name: str, kind: type) -> bool:
    return isinstance(part.get(name), kind)
