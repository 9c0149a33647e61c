"""What InfluxDB holds of one site, whole: all that a chart is made of, as the journal there has it.

It holds what was forwarded: what the bucket no longer keeps, what the server refused and what still waits in the
journal is not there. Points of an older version of this program lack fields, and are not read as if they were whole.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

import numpy as np

from drivers.clock import NS, iso
from drivers.errors import SinkRefused
from monitor.alerts.conditions import AlertEvent
from monitor.config import InfluxdbConfig
from monitor.sessions.entries import Entry, Kind
from monitor.sinks.influxdb_history import AFTER_AT_MOST, VALIDITIES, alert_of, points_of
from monitor.sinks.influxdb_question import EARLIEST, LATEST, Bucket, Point, Tags
from monitor.storage.blocks import Readings, joined
from monitor.storage.charts import Trace
from monitor.storage.device_events import DeviceEvent

_NEXT = 3600 * NS
"""Nanoseconds without an entry of the sessions that are asked for, after which it is cheaper to ask once more than to
read what was entered for others."""

_Made = TypeVar("_Made")


class _Entered(NamedTuple):
    """When an entry of a session is, and which."""

    at: int
    session: str
    event: str


class InfluxdbRecord:
    """The record of `site` in the bucket that `config` names. Times are UTC nanoseconds; `since` is in, `until` out.

    Every question raises what `Bucket` raises, and SinkRefused where an older version of the program forwarded it.
    """

    def __init__(self, config: InfluxdbConfig, site: str) -> None:
        self._bucket = Bucket(config)
        self._site = site

    def entries(self, session: str) -> list[Entry]:
        """The entries of a session in the order of their numbers; none if there is no such session."""
        with self._bucket.asked("sessions", site=self._site, fields=("session",), value=session) as question:
            times = list(question.rows(lambda values: [value[0] for value in values], EARLIEST, LATEST))
        return self._entries(times, {session}).get(session, [])

    def opened(self, since: int, until: int) -> Iterable[list[Entry]]:
        """The entries of every session that can have been opened then, in no order."""
        with self._bucket.asked("sessions", site=self._site, fields=("session", "event"), as_json=True) as question:
            entered = list(question.rows(_entered, EARLIEST, LATEST))
        # By a correction, which is entered later than that, an opening of another time may be one of this time.
        chosen = {
            it.session
            for it in entered
            if (it.event == Kind.OPENED and since <= it.at < until + AFTER_AT_MOST)
            or (it.event == Kind.CORRECTION and since <= it.at)
        }
        # Nothing can be made of the rest of one whose beginning the bucket does not keep any more.
        chosen &= {it.session for it in entered if it.event == Kind.OPENED}
        return self._entries([it.at for it in entered if it.session in chosen], chosen).values()

    def traces(self, bed: str, since: int, until: int) -> list[Trace]:
        """Every reading of a bed, a trace for each series; `received_at`, which is not there, is `observed_at`."""
        parts: defaultdict[tuple[str, str], list[Readings]] = defaultdict(list)
        with self._bucket.asked("vitals", site=self._site, bed=bed) as question:
            for series, readings in question.rows(_columns, since, until):
                parts[series].append(readings)
        return [Trace(bed, device, vital, joined(parts[device, vital])) for device, vital in sorted(parts)]

    def alerts(self, bed: str, since: int, until: int) -> list[AlertEvent]:
        """Changes of alerts, in the journal's order."""
        return self._placed("alerts", alert_of, bed, since, until)

    def device_events(self, bed: str, since: int, until: int) -> list[DeviceEvent]:
        """What became of devices, in the journal's order."""
        return self._placed("devices", _device_event, bed, since, until)

    def _placed(
        self, measurement: str, made_of: Callable[[int, Tags, dict[str, Any]], _Made], bed: str, since: int, until: int
    ) -> list[_Made]:
        """What is made of points that carry their time and their order at that time, in that order."""

        def put_together(values: Iterable[Point]) -> list[tuple[int, int, _Made]]:
            made = []
            for at, tags, fields in points_of(values):
                if since <= fields.get("at", at) < until:
                    _check_whole(fields, ("at", "row"), f"{measurement} of bed {bed} at {iso(at)}")
                    made.append((fields["at"], fields["row"], made_of(at, tags, fields)))
            return made

        with self._bucket.asked(measurement, site=self._site, bed=bed, as_json=True) as question:
            placed = list(question.rows(put_together, since, until + AFTER_AT_MOST))
        return [made for _, _, made in sorted(placed, key=itemgetter(0, 1))]

    def _entries(self, times: Iterable[int], sessions: Collection[str]) -> dict[str, list[Entry]]:
        """By session, its entries in the order of their numbers; `times` has when there are any."""

        def put_together(values: Iterable[Point]) -> list[Entry]:
            return [_entry(*point) for point in points_of(values) if point[2]["session"] in sessions]

        found: defaultdict[str, list[Entry]] = defaultdict(list)
        with self._bucket.asked("sessions", site=self._site, as_json=True) as question:
            for first, last in _stretches(times):
                for entry in question.rows(put_together, first, last + 1):
                    found[entry.session].append(entry)
        for session, entries in found.items():
            entries.sort(key=lambda entry: entry.number)
            numbers = [entry.number for entry in entries]
            if numbers != list(range(1, len(numbers) + 1)):
                # So it can look where the oldest are not kept, or a station went on from a backup.
                told = ", ".join(map(str, numbers))
                raise SinkRefused(f"InfluxDB has session {session} not as one journal does: its entries are {told}")
        return found


def _stretches(times: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First and last of the times that are near each other."""
    ordered = sorted(times)
    edges = [n for n, (one, after) in enumerate(itertools.pairwise(ordered), 1) if after - one > _NEXT]
    for first, end in itertools.pairwise([0, *edges, len(ordered)]):
        if first < end:
            yield ordered[first], ordered[end - 1]


def _entered(values: Iterable[Point]) -> list[_Entered]:
    return [_Entered(at, fields["session"], fields["event"]) for at, _, fields in points_of(values)]


def _entry(at: int, tags: Tags, fields: Mapping[str, Any]) -> Entry:
    session = fields["session"]
    _check_whole(fields, ("kind", "at", "content", "request"), f"the entry at {iso(at)} of session {session}")
    return Entry(
        session,
        fields["number"],
        Kind(fields["kind"]),
        fields["at"],
        fields["entered_at"],
        fields.get("author", ""),
        tags[1],
        json.loads(fields["content"]),
        fields["request"],
    )


def _device_event(_at: int, tags: Tags, fields: Mapping[str, Any]) -> DeviceEvent:
    _, bed, device, _, _, kind = tags
    return DeviceEvent(bed, device, kind, fields.get("code", ""), fields["state"], fields.get("text", ""), fields["at"])


def _check_whole(fields: Mapping[str, Any], needed: Iterable[str], what: str) -> None:
    if not all(name in fields for name in needed):
        raise SinkRefused(
            f"{what}: InfluxDB has only a part of it, since the station that forwarded it was of an older version: "
            "only that station's journal has the whole chart"
        )


def _columns(values: Iterable[Point]) -> list[tuple[tuple[str, str], Readings]]:
    """Device and vital of each series, and its readings as columns."""
    # A table of the answer is in one piece: the values of a series, its validities or its causes.
    found: defaultdict[tuple[str, str], dict[str, tuple[list[int], list[str]]]] = defaultdict(dict)
    for (tags, field), table in itertools.groupby(values, itemgetter(1, 2)):
        vital, _, about = field.rpartition("_")
        if about not in {"validity", "cause"}:
            vital, about = field, "value"
        times, texts = found[tags[2], vital].setdefault(about, ([], []))
        for at, _, _, text in table:
            times.append(at)
            texts.append(text)
    return [(series, _readings(**tables)) for series, tables in found.items()]


def _readings(
    value: tuple[list[int], list[str]] = ([], []),
    validity: tuple[list[int], list[str]] = ([], []),
    cause: tuple[list[int], list[str]] = ([], []),
) -> Readings:
    at = np.unique(np.array([*value[0], *validity[0], *cause[0]], np.int64))
    columns = Readings(
        at, at, np.full(len(at), np.nan), np.zeros(len(at), np.uint8), np.zeros(len(at), np.uint16), ("",)
    )
    columns.values[np.searchsorted(at, value[0])] = list(map(float, value[1]))
    columns.validity[np.searchsorted(at, validity[0])] = [VALIDITIES[text] for text in validity[1]]
    places = {text: place for place, text in enumerate(dict.fromkeys(["", *cause[1]]))}
    columns.cause[np.searchsorted(at, cause[0])] = [places[text] for text in cause[1]]
    return columns._replace(causes=tuple(places))
