"""What a commit may contain: the readings of devices, and rows of the other tables with the SQL that puts them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from drivers.events import DeviceAlarm, DeviceStatus, Event, LinkState, Reading, Waveform
from monitor.alerts.conditions import AlertEvent
from monitor.sessions.entries import Entry
from monitor.storage.backlog import SinkRow
from monitor.storage.blocks import FURTHEST

_INSERT_DEVICE_EVENT = """
    INSERT INTO device_events (bed, device, kind, code, state, text, at, commit_no)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (at, bed, device, kind, code, state, text) DO NOTHING"""
_INSERT_ALERT = """
    INSERT INTO alerts (bed, rule, kind, priority, state, at, text, vital, device, value, threshold,
        alert_group, why, actor, session, commit_no)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, ''), nullif(?, ''), nullif(?, ''), nullif(?, ''), ?)"""
# Another entry with a number that is taken is refused, and not passed over as the same request is.
_INSERT_ENTRY = """
    INSERT INTO session_entries (session, number, kind, at, entered_at, author, bed, content, request, commit_no)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (request) DO NOTHING"""
_INSERT_AUDIT = """
    INSERT INTO audit (at, actor, action, detail, origin, old, new, commit_no)
    VALUES (?, ?, ?, ?, nullif(?, ''), nullif(?, ''), nullif(?, ''), ?)"""
_PUT_SINK = """
    INSERT INTO sinks (name, through, state, detail, at, too_old) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET through = excluded.through, state = excluded.state, detail = excluded.detail,
        at = excluded.at, too_old = excluded.too_old"""
_INSERT_DEAD_LETTER = "INSERT INTO dead_letters (sink, at, line, reason) VALUES (?, ?, ?, ?)"
_DEAD_LETTER_SENT = "UPDATE dead_letters SET sent_at = ? WHERE id = ?"


class Batch(NamedTuple):
    """What one `Journal.record` brought of readings and waveforms, and whom to tell."""

    bed: str
    device: str
    readings: list[Reading]
    waveforms: list[Waveform]
    on_commit: Callable[[], None] | None

    @property
    def size(self) -> int:
        """How many rows it makes."""
        return len(self.readings) + len(self.waveforms)


class Row(NamedTuple):
    """A row of another table."""

    put: str
    values: tuple[str | int | float | None, ...]
    chained: str = ""
    """Its table, where that is one of the hash chain."""
    numbered: bool = True
    """Whether the commit's number is to follow the values."""
    file: int | None = None
    """The inode of the journal that it was read from, where it says something about that: no other one takes it."""
    on_commit: Callable[[], None] | None = None
    """Whom to tell once it is on disk."""


def device_rows(bed: str, device: str, events: Iterable[Event]) -> list[Row]:
    """Rows for the device statuses and alarms among `events`."""
    rows = []
    for event in events:
        if isinstance(event, DeviceStatus | DeviceAlarm):
            kind = "alarm" if isinstance(event, DeviceAlarm) else "status"
            state = "on" if event.active else "off"
            values = (bed, device, kind, event.code, state, event.text, event.received_at)
            rows.append(Row(_INSERT_DEVICE_EVENT, values))
    return rows


def link_row(bed: str, device: str, state: LinkState, detail: str, at: int) -> Row:
    """The row for a change of a device's link."""
    return Row(_INSERT_DEVICE_EVENT, (bed, device, "link", "", state.value, detail, at))


def alert_row(event: AlertEvent) -> Row:
    """The row for what became of an alert."""
    return Row(
        _INSERT_ALERT,
        (
            event.bed,
            event.rule,
            event.kind.value,
            event.priority.value,
            event.state.value,
            event.at,
            event.text,
            event.vital,
            event.device,
            event.value,
            event.limit,
            event.group,
            event.why,
            event.actor,
            event.session,
        ),
        "alerts",
    )


def entry_row(entry: Entry) -> Row:
    """The row for an entry of a session.

    Raises ValueError or TypeError where the journal could not hold it, so that who enters it is told.
    """
    if not all(-FURTHEST <= at < FURTHEST for at in (entry.at, entry.entered_at)):
        raise ValueError("its time is too far away")
    content = json.dumps(
        dict(entry.content), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    texts = (entry.session, entry.kind.value, entry.author, entry.bed, content, entry.request)
    for text in texts:
        # Half of a surrogate pair is no UTF-8.
        text.encode()
    session, kind, author, bed, content, request = texts
    values = (session, entry.number, kind, entry.at, entry.entered_at, author, bed, content, request)
    return Row(_INSERT_ENTRY, values, "session_entries")


def audit_row(at: int, actor: str, action: str, detail: str, *, origin: str = "", old: str = "", new: str = "") -> Row:
    """The row that says who did what, from where, and what was and is in force by that."""
    return Row(_INSERT_AUDIT, (at, actor, action, detail, origin, old, new), "audit")


def sink_row(sink: SinkRow, file: int | None = None) -> Row:
    """The row that says how far a sink is, in the place of the one before; in the journal with that inode alone."""
    return Row(_PUT_SINK, tuple(sink), numbered=False, file=file)


def dead_letter_rows(sink: str, refused: Sequence[tuple[str, str]], at: int) -> list[Row]:
    """Rows for lines that a sink refuses, each with its reason."""
    return [Row(_INSERT_DEAD_LETTER, (sink, at, line, reason), numbered=False) for line, reason in refused]


def resent_rows(ids: Iterable[int], at: int, file: int | None = None) -> list[Row]:
    """What marks dead letters as taken after all; in the journal with that inode alone."""
    return [Row(_DEAD_LETTER_SENT, (at, one), numbered=False, file=file) for one in ids]
