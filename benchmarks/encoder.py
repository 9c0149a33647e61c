"""Lines that the encoder makes in a second, beside the `Point` of the client that everyone has."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

from influxdb_client.client.write.point import Point

from benchmarks import day
from benchmarks.table import Table
from drivers.clock import NS
from monitor.sinks.line_protocol import vitals_lines
from monitor.storage.backlog import ROWS, ReadingTuple

AIM = 5.0
"""Times the lines of `Point`."""
_SITE, _DEVICE = "bench", "monitor"
_PORTIONS = 10
_ROUNDS = 9


class _Case(NamedTuple):
    """What the readings are like."""

    title: str
    vitals: tuple[str, ...]
    value: Callable[[], float]


def measure() -> Table:
    """Encode the same readings both ways, round by round in turn."""
    table = Table(
        f"Encoder: lines from portions of {ROWS:,} valid readings, beside influxdb_client's Point",
        f"{AIM:g} times Point",
        ("a line holds", "lines/s", "readings/s", "Point lines/s", "times Point", "least", "most"),
        notes=[
            "CPU time of one core. A portion is what the sink gets at once; a Point gets all the vitals of its line."
        ],
    )
    draw = random.Random(2)
    for case in (
        _Case("1 vital, whole", day.VITALS[:1], lambda: float(draw.randrange(60, 100))),
        _Case("6 vitals, whole", day.VITALS, lambda: float(draw.randrange(60, 100))),
        _Case("6 vitals, one random decimal", day.VITALS, lambda: round(draw.uniform(36, 180), 1)),
    ):
        _one(case, table)
    return table


def _one(case: _Case, table: Table) -> None:
    portions = [_portion(case, number) for number in range(_PORTIONS)]
    lines = sum(map(len, portions)) // len(case.vitals)
    _hold_against_each_other(portions[0], len(case.vitals))
    ours, theirs = [], []
    for _ in range(_ROUNDS):
        started = time.process_time()
        for portion in portions:
            vitals_lines(_SITE, portion)
        ours.append(lines / (time.process_time() - started))
        started = time.process_time()
        for portion in portions:
            _points(portion, len(case.vitals))
        theirs.append(lines / (time.process_time() - started))
    rate, of_point = statistics.median(ours), statistics.median(theirs)
    times = rate / of_point
    of_rounds = [one / other for one, other in zip(ours, theirs, strict=True)]
    table.rows.append(
        (
            case.title,
            f"{rate:,.0f}",
            f"{rate * len(case.vitals):,.0f}",
            f"{of_point:,.0f}",
            f"{times:.1f}",
            f"{min(of_rounds):.1f}",
            f"{max(of_rounds):.1f}",
        )
    )
    table.raw.append({"case": case.title, "lines_per_second": ours, "points_per_second": theirs, "times": times})
    if times < AIM:
        table.missed.append(f"{case.title} ({times:.1f})")


def _portion(case: _Case, number: int) -> list[ReadingTuple]:
    moments = ROWS // len(case.vitals)
    return [
        (day.BEDS[moment % len(day.BEDS)], _DEVICE, vital, case.value(), 0, "", day.START + moment * NS)
        for moment in range(number * moments, (number + 1) * moments)
        for vital in case.vitals
    ]


def _points(portion: list[ReadingTuple], vitals: int) -> list[str]:
    made = []
    for first in range(0, len(portion), vitals):
        bed, device, *_, at = portion[first]
        point = Point("vitals").tag("bed", bed).tag("device", device).tag("site", _SITE)  # type: ignore[no-untyped-call]  # the library has no types here
        for _, _, vital, value, *_ in portion[first : first + vitals]:
            point.field(vital, value)
        made.append(point.time(at).to_line_protocol())
    return made


def _hold_against_each_other(portion: list[ReadingTuple], vitals: int) -> None:
    """Raises RuntimeError unless both say the same: Point orders fields by name and writes 60 for 60.0."""

    def parts(line: str) -> tuple[str, dict[str, float], str]:
        head, fields, at = line.split(" ")
        return head, {name: float(value) for name, value in (field.split("=") for field in fields.split(","))}, at

    encoded = vitals_lines(_SITE, portion)
    if encoded.refused or [*map(parts, encoded.lines)] != [*map(parts, _points(portion, vitals))]:
        raise RuntimeError("the encoder and Point do not say the same")
