"""Points as lines of InfluxDB's line protocol, times in nanoseconds.

    vitals,bed=chair1,device=oximeter,site=clinic spo2=97.0,pulse_rate=71.0 1767225600000000000

What a line can hold and what it cannot, as a real server reads it:

- A number that is not finite has no line. A reading with one is refused here, so that it does not take the others of
  its point with it; an alert goes without the number, which its text says anyhow.
- A tag cannot hold a control character, nor a backslash at its end or before a comma, space or equals sign: the server
  takes it for an escape. They become `_`. Ids of a configuration have none of all this.
- A tag cannot be empty: it is left out.
- A string may hold anything, line breaks too; only quotes and backslashes are escaped. An empty one is left out: in a
  series that has others too, Flux (2.8.0) answers with the texts after it at the times of those before.
- Two points of one series and time are one. What became of one thing twice at one moment is put a nanosecond apart: so
  entries, alerts and device events carry their own time, and their order, as the fields `at` and `row`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import NamedTuple

from monitor.alerts.conditions import AlertEvent
from monitor.sessions.entries import Entry, Kind
from monitor.sessions.text import text_of
from monitor.storage.backlog import Place, ReadingTuple, RecordedWaveform
from monitor.storage.device_events import DeviceEvent

_PLAIN = re.compile(r"[A-Za-z0-9_.:/-]+")
_IMPOSSIBLE = re.compile(r"[\x00-\x1f\x7f]|\\(?=[,= ]|$)")
_SPECIAL = re.compile(r"([,= ])")
_ALERT_TEXTS = ("vital", "device", "group", "why", "actor", "session")


class Encoded(NamedTuple):
    """Lines, and those that no server would take."""

    lines: list[str]
    refused: list[tuple[str, str]]
    """The line that would have been, and why it is none."""


def vitals_lines(site: str, readings: Iterable[ReadingTuple]) -> Encoded:
    """Points of `vitals`: one line for all the readings of a device at a bed that were observed at one moment."""
    points: dict[tuple[str, str, int | None], str] = {}
    refused: list[tuple[ReadingTuple, str]] = []
    names = _Names()
    # The same few values come again and again, and telling a number takes longest.
    numbers: dict[float | None, str] = {None: ""}
    told = numbers.get
    # Readings of one point mostly come one after the other: only a new point costs a look into `points`. Its fields are
    # one text there: of a list for each, the garbage collector would look through thousands.
    bed, device = "", ""
    at: int | None = None
    fields: list[str] = []
    for reading in readings:
        its_bed, its_device, vital, value, validity, cause, its_at = reading
        number = told(value)
        if number is None:
            number = repr(value)
            if value is not None and not isfinite(value):
                refused.append((reading, f"InfluxDB has no number {number}"))
                continue
            # 0.0 and -0.0 are one key and two texts.
            if value:
                numbers[value] = number
        if its_at != at or its_device != device or its_bed != bed:
            if fields:
                points[bed, device, at] = ",".join(fields)
            bed, device, at = its_bed, its_device, its_at
            before = points.get((bed, device, at))
            fields = [before] if before else []
        if validity or cause or not number:
            fields += _doubtful(escaped(vital), number, validity, cause)
        else:
            fields.append(f"{names[vital]}{number}")
    if fields:
        points[bed, device, at] = ",".join(fields)
    heads = _Heads(site)
    return Encoded(
        [f"{heads[bed, device]} {fields} {at}" for (bed, device, at), fields in points.items()],
        [(_not_a_line(heads, reading), reason) for reading, reason in refused],
    )


def alert_lines(site: str, alerts: Iterable[AlertEvent], places: Iterable[Place]) -> list[str]:
    """Points of `alerts`, one for each change; `places` has where each of them is in the journal."""
    lines = []
    for alert, place in zip(alerts, places, strict=True):
        head = _head("alerts", bed=alert.bed, kind=alert.kind, priority=alert.priority, rule=alert.rule, site=site)
        fields = _texts({"state": alert.state, "text": alert.text})
        fields += [f"{name}={number!r}" for name in ("value", "limit") if _has(number := getattr(alert, name))]
        fields += _texts({name: getattr(alert, name) for name in _ALERT_TEXTS})
        lines.append(f"{head} {','.join(fields)},{_placed(alert.at, place)}")
    return lines


def session_lines(site: str, entries: Iterable[Entry], places: Iterable[Place]) -> list[str]:
    """Points of `sessions`, one for each entry: all of it as it was entered, and what people look for in words."""
    lines = []
    for entry, place in zip(entries, places, strict=True):
        content = json.dumps(dict(entry.content), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        texts = {
            "session": entry.session,
            "event": entry.content["step"] if entry.kind is Kind.STEP else entry.kind,
            "text": text_of(entry),
            "author": entry.author,
            "kind": entry.kind,
            "content": content,
            "request": entry.request,
        }
        if entry.kind in {Kind.OPENED, Kind.CORRECTION} and "reference" in entry.content:
            texts["reference"] = entry.content["reference"]
        fields = [*_texts(texts), f"number={entry.number}i", f"entered_at={entry.entered_at}i"]
        lines.append(f"{_head('sessions', bed=entry.bed, site=site)} {','.join(fields)},{_placed(entry.at, place)}")
    return lines


def device_lines(site: str, events: Iterable[DeviceEvent], places: Iterable[Place]) -> list[str]:
    """Points of `devices`: what became of their links, and what they said of themselves."""
    lines = []
    for event, place in zip(events, places, strict=True):
        head = _head("devices", bed=event.bed, device=event.device, kind=event.kind, site=site)
        fields = _texts({"code": event.code, "state": event.state, "text": event.text})
        lines.append(f"{head} {','.join(fields)},{_placed(event.at, place)}")
    return lines


def waveform_lines(site: str, waveforms: Iterable[RecordedWaveform]) -> Iterator[str]:
    """Points of `waveforms`: one a sample. They are given one by one, since a portion may have millions."""
    for bed, device, waveform in waveforms:
        head = f"{_head('waveforms', bed=bed, device=device, site=site)} {escaped(waveform.name)}="
        begins_at, rate = waveform.observed_at, waveform.rate
        for index, sample in enumerate(waveform.samples):
            yield f"{head}{sample} {begins_at + round(index * 1e9 / rate)}"


def escaped(text: str) -> str:
    """`text` as a tag's value, or as the name of a tag or field."""
    if _PLAIN.fullmatch(text):
        return text
    return _SPECIAL.sub(r"\\\1", _IMPOSSIBLE.sub("_", text))


class _Names(dict[str, str]):
    """What the field of a vital's value begins with."""

    def __missing__(self, vital: str) -> str:
        self[vital] = f"{escaped(vital)}="
        return self[vital]


class _Heads(dict[tuple[str, str], str]):
    """What the lines of a bed and device begin with."""

    def __init__(self, site: str) -> None:
        super().__init__()
        self._site = site

    def __missing__(self, key: tuple[str, str]) -> str:
        bed, device = key
        self[key] = _head("vitals", bed=bed, device=device, site=self._site)
        return self[key]


def _head(measurement: str, **tags: str) -> str:
    return measurement + "".join(f",{tag}={escaped(value)}" for tag, value in tags.items() if value)


def _placed(at: int, place: Place) -> str:
    """What ends a point: when it was and its order there, and a time that no other point of its series has."""
    return f"at={at}i,row={place.row}i {at + place.after}"


def _doubtful(name: str, number: str, validity: int, cause: str) -> list[str]:
    """The fields of a reading that is more, or less, than a valid number."""
    fields = [f"{name}={number}"] if number else []
    # A reading that has no value says at least what it is.
    if validity or not number:
        fields.append(f"{name}_validity={validity:d}i")
    if cause:
        fields.append(f'{name}_cause="{_text(cause)}"')
    return fields


def _not_a_line(heads: _Heads, reading: ReadingTuple) -> str:
    bed, device, vital, value, validity, cause, at = reading
    return f"{heads[bed, device]} {','.join(_doubtful(escaped(vital), repr(value), validity, cause))} {at}"


def _texts(texts: Mapping[str, str]) -> list[str]:
    return [f'{name}="{_text(text)}"' for name, text in texts.items() if text]


def _text(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _has(number: float | None) -> bool:
    return number is not None and isfinite(number)
