"""Questions to InfluxDB about stretches of time, by Flux.

A bucket may hold years of many sites, and a command prints them row by row: so time is gone through in windows. Each
is one question that the storage engine answers alone (range, filter and keep; no pivot or sort in Flux), is put
together and sorted here, and becomes as long as is needed for about `_POINTS` values.

Names come to Flux as parameters, never as part of the question's text. They travel as the client sends them, in
`extern`: the server's own `params` are in InfluxDB Cloud only. Times are read with all nine digits; the client's
parser keeps six.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import itertools
import json
from collections.abc import Callable, Generator, Iterable, Iterator
from datetime import datetime
from typing import TypeVar

from influxdb_client.client.query_api import QueryApi

from drivers.clock import NS
from drivers.errors import SinkBusy, SinkRefused
from monitor.config import InfluxdbConfig
from monitor.sinks import influxdb_sync

EARLIEST, LATEST = -(2**63) + 2, 2**63 - 2
"""The ends of the time that InfluxDB can hold, UTC nanoseconds."""
TAGS = ("site", "bed", "device", "rule", "priority", "kind")

_POINTS = 20_000
"""Values of fields that a window aims at; one with four times as many is asked for again in shorter ones."""
_FIRST_WINDOW = 10 * NS
_CHANGE = 8
"""How much longer or shorter than the window before one may be, as a factor."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - without a zone, as the text that it is subtracted from
_DIALECT = {"header": True, "annotations": [], "dateTimeFormat": "RFC3339Nano"}
_COLUMNS = json.dumps([*TAGS, "_field", "_time", "_value"])

_RANGE = "from(bucket: bucket) |> range(start: time(v: {since}), stop: time(v: {until})) |> filter(fn: (r) => {filter})"
_PLAIN = f"{_RANGE} |> keep(columns: {_COLUMNS})"
# The server's CSV loses carriage returns inside texts.
_AS_JSON = f"""import "json"
{_RANGE} |> map(fn: (r) => ({{r with _value: string(v: json.encode(v: r._value))}})) |> keep(columns: {_COLUMNS})"""
_FIRST = f'{_RANGE} |> first() |> keep(columns: ["_time"])'

Tags = tuple[str, ...]
"""Of each of `TAGS`; empty where the point has none."""
Point = tuple[int, Tags, str, str]
"""Time, tags, field and the value's text."""
_Row = TypeVar("_Row")


class Bucket:
    """The bucket that `config` names, for reading.

    Raises, here or while rows are read, ConfigError (no token is to be had), SinkRefused (the token, the bucket or
    what is in it is wrong) and SinkBusy (the server cannot be reached, or broke off).
    """

    def __init__(self, config: InfluxdbConfig, *, patience: float = influxdb_sync.PATIENCE) -> None:
        self._config = config
        self._patience = patience
        self._token = config.read_token()

    @contextlib.contextmanager
    def asked(
        self,
        measurement: str,
        *,
        site: str | None = None,
        bed: str | None = None,
        fields: Iterable[str] = (),
        value: str | None = None,
        as_json: bool = False,
    ) -> Iterator[Question]:
        """A question about points of a measurement, of all sites, beds, fields and values where none is named.

        With `as_json` a value's text is JSON, as texts of people need it; else it is as InfluxDB writes it.
        """
        config = self._config
        parameters = {"bucket": config.bucket, "measurement": measurement}
        conditions = ["r._measurement == measurement"]
        for tag, name in (("site", site), ("bed", bed)):
            if name is not None:
                parameters[tag] = name
                conditions.append(f"r.{tag} == {tag}")
        one_of = {f"field{n}": field for n, field in enumerate(fields)}
        if one_of:
            conditions.append(f"({' or '.join(f'r._field == {field}' for field in one_of)})")
        if value is not None:
            parameters["value"] = value
            # After the fields: only of these is it sure that their values are texts.
            conditions.append("r._value == value")
        texts = {
            404: f"there is no bucket {config.bucket!r}, or the token may not read it, as one that may only write "
            "(404): name one that may read by `read_token_file`"
        }
        with (
            influxdb_sync.client(
                config.url, config.org, self._token, config.ca_file, patience=self._patience
            ) as client,
            influxdb_sync.errors(config.url, texts, patience=self._patience),
        ):
            text = _AS_JSON if as_json else _PLAIN
            yield Question(client.query_api(), text, " and ".join(conditions), {**parameters, **one_of})


class Question:
    """One question about a stretch of time, asked window by window."""

    def __init__(self, api: QueryApi, text: str, conditions: str, parameters: dict[str, str]) -> None:
        self._api = api
        self._text = text
        self._conditions = conditions
        self._parameters = parameters

    def rows(
        self, put_together: Callable[[Iterable[Point]], list[_Row]], since: int | None, until: int | None
    ) -> Iterator[_Row]:
        """What `put_together` makes of the points of each window, one window after the other."""
        at = EARLIEST if since is None else max(EARLIEST, since)
        end = LATEST if until is None else min(LATEST, until)
        width = _FIRST_WINDOW
        # Where nothing was, the next point may be years away: ask where it is rather than go there step by step.
        while at < end and (first := self._first(at, end)) is not None:
            at = first
            points: list[Point] | None = None
            while at < end and points != []:
                stop = min(at + width, end)
                points = self._window(at, stop)
                if points is None:
                    width = max(1, width // _CHANGE)
                    continue
                try:
                    rows = put_together(points)
                except (KeyError, ValueError) as error:
                    raise SinkRefused(f"the bucket holds a point that no station wrote: {error!r}") from error
                yield from rows
                factor = _POINTS / max(1, len(points))
                width = max(1, round(width * max(1 / _CHANGE, min(_CHANGE, factor))))
                at = stop

    def _first(self, since: int, until: int) -> int | None:
        """When the first point of that time is; None if there is none."""
        return min((point[0] for point in self._answer(_FIRST, since, until)), default=None)

    def _window(self, since: int, until: int) -> list[Point] | None:
        """The points of that time; None where they are too many for one window."""
        most = _POINTS * 4 if until - since > 1 else None
        with contextlib.closing(self._answer(self._text, since, until)) as answer:
            points = list(itertools.islice(answer, most))
            return points if next(answer, None) is None else None

    def _answer(self, text: str, since: int, until: int) -> Generator[Point]:
        query = text.replace("{since}", str(since)).replace("{until}", str(until)).replace("{filter}", self._conditions)
        answer = self._api.query_raw(query, dialect=_DIALECT, params=self._parameters)
        with contextlib.closing(answer):
            try:
                yield from _points(csv.reader(codecs.iterdecode(answer, "utf-8")))
            except (csv.Error, IndexError, ValueError) as error:
                raise SinkBusy(f"the answer is no answer of InfluxDB, or only a part of one: {error!r}") from error


def _points(lines: Iterable[list[str]]) -> Iterator[Point]:
    """The points of an answer: tables that begin with a line of their columns' names and end with an empty one."""
    header: list[str] = []
    at = field = value = number = 0
    of_tags: list[int] = []
    table = ""
    tags: Tags = ()
    name = ""
    seconds: dict[str, int] = {}
    for line in lines:
        if not line:
            header = []
        elif not header:
            header = line
            # The first cell, which is for annotations, is empty everywhere: it stands for what a table lacks.
            column = {name: n for n, name in enumerate(header)}
            at, field, value, number = (column.get(key, 0) for key in ("_time", "_field", "_value", "table"))
            of_tags = [column.get(tag, 0) for tag in TAGS]
            table = ""
        elif "error" in header:
            # What goes wrong after the first rows comes as a table of its own.
            raise SinkBusy(f"InfluxDB broke off its answer: {line[header.index('error')]}")
        else:
            if line[number] != table:
                table = line[number]
                tags = tuple(line[n] for n in of_tags)
                name = line[field]
            moment = line[at]
            second = seconds.get(moment[:19])
            if second is None:
                second = seconds[moment[:19]] = _nanoseconds(moment[:19])
            yield second + int(moment[20:-1].ljust(9, "0")), tags, name, line[value]
    if header:
        raise ValueError("it ends in the middle of a table")


def _nanoseconds(second: str) -> int:
    return round((datetime.fromisoformat(second) - _EPOCH).total_seconds()) * NS
