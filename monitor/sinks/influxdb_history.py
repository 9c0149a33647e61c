"""What InfluxDB holds of the journals of many sites: the reading side of the sink, value for value."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any

from drivers.events import Validity
from drivers.vitals import VITALS
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.config import InfluxdbConfig
from monitor.sinks import influxdb_sync
from monitor.sinks.influxdb_question import Bucket, Point, Tags
from monitor.storage.history import ReadingRow

AFTER_AT_MOST = 1_000_000
"""Nanoseconds by which a point can be later than what it tells of: as many things would have to be of one moment."""
VALIDITIES = {f"{validity:d}": validity for validity in Validity}
"""By what InfluxDB has of them."""


class InfluxdbHistory:
    """The reading side of the bucket that `config` names. Times are UTC nanoseconds; rows come with their site.

    Raises, here or while rows are read, what `Bucket` raises.
    """

    def __init__(self, config: InfluxdbConfig, *, patience: float = influxdb_sync.PATIENCE) -> None:
        self._bucket = Bucket(config, patience=patience)

    def readings(
        self,
        site: str | None = None,
        bed: str | None = None,
        vital: str | None = None,
        since: int | None = None,
        until: int | None = None,
    ) -> Iterator[tuple[str, ReadingRow]]:
        """Readings with `since` <= observed_at < `until`, by time, then site, bed, device and vital."""
        fields = () if vital is None else (vital, f"{vital}_validity", f"{vital}_cause")
        with self._bucket.asked("vitals", site=site, bed=bed, fields=fields) as question:
            yield from question.rows(_readings, since, until)

    def alerts(
        self, site: str | None = None, bed: str | None = None, since: int | None = None, until: int | None = None
    ) -> Iterator[tuple[str, AlertEvent]]:
        """Changes of alerts with `since` <= at < `until`, by time, then site and bed, then as the journal has them."""
        end = None if until is None else until + AFTER_AT_MOST
        with self._bucket.asked("alerts", site=site, bed=bed, as_json=True) as question:
            for where, alert in question.rows(_alerts, since, end):
                if (since is None or since <= alert.at) and (until is None or alert.at < until):
                    yield where, alert


def _readings(points: Iterable[Point]) -> list[tuple[str, ReadingRow]]:
    # Values, validities and causes by time, of each series. A table of the answer is one of the three, in one piece.
    found: dict[tuple[Tags, str], tuple[dict[int, float], dict[int, Validity], dict[int, str]]] = {}
    for (tags, field), table in itertools.groupby(points, itemgetter(1, 2)):
        vital, _, about = field.rpartition("_")
        series = found.setdefault((tags, vital if about in {"validity", "cause"} else field), ({}, {}, {}))
        if about == "validity":
            series[1].update((at, VALIDITIES[text]) for at, _, _, text in table)
        elif about == "cause":
            series[2].update((at, text) for at, _, _, text in table)
        else:
            series[0].update((at, float(text)) for at, _, _, text in table)
    ordered = sorted(found)
    rows = [
        (at, n, values.get(at), validities.get(at, Validity.VALID), causes.get(at, ""))
        for n, (values, validities, causes) in enumerate(map(found.__getitem__, ordered))
        for at in values.keys() | validities.keys() | causes.keys()
    ]
    rows.sort(key=itemgetter(0))  # those of one moment stay in the order of their series
    named = [(*tags[:3], vital, VITALS[vital].unit if vital in VITALS else "") for tags, vital in ordered]
    made = []
    for at, n, value, validity, cause in rows:
        site, bed, device, vital, unit = named[n]
        made.append((site, ReadingRow(bed, device, vital, value, unit, validity, cause, at, None)))
    return made


def points_of(values: Iterable[Point]) -> list[tuple[int, Tags, dict[str, Any]]]:
    """Time, tags and fields of each point, in order of time and tags, from values as JSON."""
    found: dict[tuple[int, Tags], dict[str, Any]] = {}
    for at, tags, field, text in values:
        found.setdefault((at, tags), {})[field] = json.loads(text)
    return [(at, tags, fields) for (at, tags), fields in sorted(found.items(), key=itemgetter(0))]


def alert_of(at: int, tags: Tags, fields: Mapping[str, Any]) -> AlertEvent:
    """The change of an alert that a point tells of. Raises KeyError or ValueError where no station wrote it."""
    _, bed, _, rule, priority, kind = tags
    return AlertEvent(
        bed,
        rule,
        Kind(kind),
        Priority(priority),
        AlertState(fields["state"]),
        # Older points do not have it: theirs is their time.
        fields.get("at", at),
        fields.get("text", ""),
        fields.get("vital", ""),
        fields.get("device", ""),
        _number(fields.get("value")),
        _number(fields.get("limit")),
        fields.get("group", ""),
        fields.get("why", ""),
        fields.get("actor", ""),
        fields.get("session", ""),
    )


def _alerts(values: Iterable[Point]) -> list[tuple[str, AlertEvent]]:
    made = [(fields.get("row", 0), tags[0], alert_of(at, tags, fields)) for at, tags, fields in points_of(values)]
    made.sort(key=lambda it: (it[2].at, it[1], it[2].bed, it[0]))
    return [(site, alert) for _, site, alert in made]


def _number(value: float | None) -> float | None:
    # The server's JSON writes 98.0 as 98.
    return None if value is None else float(value)
