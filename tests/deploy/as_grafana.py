"""What Grafana does between a dashboard's file and its panels: fill in the variables, and make fields of the answer.

After its sources: `templateSrv` for `$name` and `${name}`, the InfluxDB data source's macros for `v.name`, and its
frame builder, by which columns of a group key become labels and all others fields.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.influxd import Influxd, rows, typed

FOLDER = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards"
DASHBOARDS = ("wall", "bed", "sessions")

_VARIABLE = re.compile(r"\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.([^:^}]+))?(?::([^}]+))?\}")
_MACRO = re.compile(r"\bv\.([a-zA-Z]+)")


def dashboard(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return read


@dataclass
class Range:
    """A time range, as a query gets it, and the step of a graph in it."""

    start: str
    stop: str
    step: str = "10s"
    now: str = ""
    """What the server's clock is to say; its own time without it."""


def interpolated(query: str, variables: Mapping[str, str], over: Range, bucket: str) -> str:
    """The query as it is sent; fails on a variable or macro that there is not."""

    def variable(match: re.Match[str]) -> str:
        return variables[match[1] or match[2] or match[4]]

    macros = {
        "timeRangeStart": over.start,
        "timeRangeStop": over.stop,
        "windowPeriod": over.step,
        "defaultBucket": f'"{bucket}"',
    }
    text = _MACRO.sub(lambda match: macros[match[1]], _VARIABLE.sub(variable, query))
    if over.now:
        # Not Grafana's doing: a moment that has been, so that a test does not depend on how long it takes.
        imports = re.match(r'(?:import "[^"]+"\n)*', text)
        assert imports is not None
        text = f"{imports[0]}\noption now = () => {over.now}\n{text[imports.end() :]}"
    return text


@dataclass
class Frame:
    """One table of an answer: fields by their names, in their order, and what all of its rows have in common."""

    labels: dict[str, str]
    fields: dict[str, list[Any]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)

    def rows(self, *columns: str) -> list[tuple[Any, ...]]:
        return list(zip(*(self.fields[column] for column in columns), strict=True))


def frames(server: Influxd, query: str) -> list[Frame]:
    """The answer to a query; raises InfluxdRefusal."""
    dialect = {"annotations": ["datatype", "group", "default"]}
    answer = server._ask(
        "POST",
        "/api/v2/query",
        {"query": query, "type": "flux", "dialect": dialect},
        parameters={"org": server.org},
        accept="text/csv",
    ).decode()
    list(rows(answer))  # raises where the answer ends with an error
    return list(_frames(answer))


def _frames(answer: str) -> Iterator[Frame]:
    key: list[str] | None = None
    frame = Frame({})
    for cells in _lines(answer):
        group = [str(cell.value) for cell in cells if cell.grouped]
        if key is None or key != group:
            if key is not None:
                yield frame
            key = group
            frame = Frame({cell.name: str(cell.value) for cell in cells if cell.grouped and cell.value is not None})
            frame.labels.pop("_measurement", None)
            # Times come first.
            own = sorted(
                (cell for cell in cells if not cell.grouped), key=lambda cell: not cell.kind.startswith("dateTime")
            )
            names = _names([cell.name for cell in own], frame.labels)
            frame.fields = {names[cell.name]: [] for cell in own}
            frame.types = {names[cell.name]: cell.kind for cell in own}
        for cell in cells:
            if not cell.grouped:
                frame.fields[names[cell.name]].append(cell.value)
    if key is not None:
        yield frame


class _Cell(NamedTuple):
    name: str
    kind: str
    grouped: bool
    value: Any


def _lines(answer: str) -> Iterator[list[_Cell]]:
    annotations: dict[str, list[str]] = {}
    columns: list[str] = []
    for line in csv.reader(io.StringIO(answer, newline="")):
        if not line:
            columns, annotations = [], {}
        elif line[0].startswith("#"):
            annotations[line[0]] = line
        elif not columns:
            columns = line
        else:
            kinds, groups, defaults = (annotations[f"#{name}"] for name in ("datatype", "group", "default"))
            yield [
                _Cell(name, kind, group == "true", typed(kind, cell or default))
                for name, kind, group, default, cell in zip(columns, kinds, groups, defaults, line, strict=True)
                if name not in {"", "result", "table"}
            ]


def _names(own: list[str], labels: dict[str, str]) -> dict[str, str]:
    """A time and a value are called so; the value by the field, where the answer says which it was."""
    names = {name: name for name in own}
    if set(own) == {"_time", "_value"}:
        names = {"_time": "Time", "_value": labels.pop("_field", "Value")}
        for label in ("_start", "_stop"):
            labels.pop(label, None)
    return names
