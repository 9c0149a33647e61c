"""What a station takes up again when it starts: the alerts that stood, and what was measured just before it ended.

All of it is read from the journal, so that nothing depends on how the station ended.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from drivers.clock import NS
from drivers.errors import JournalUnusable
from drivers.events import Reading, Validity
from drivers.vitals import VITALS
from monitor.sessions import recorded
from monitor.sessions.session import Session
from monitor.storage.history import History, ReadingRow
from monitor.storage.standing import Standing, standing

LAST = 60
"""Seconds before the end that are gone through again: so a vital that went missing at that time is missed."""
NOT_AFTER = 600
"""Seconds of standing still after which the last readings say nothing of who is on the bed now."""

_log = logging.getLogger(__name__)


class Before(NamedTuple):
    """How things stood when the station ended."""

    standing: Sequence[Standing] = ()
    baselines: Mapping[str, Mapping[str, tuple[float, ...]]] = {}
    """By session and vital: the valid readings of its baseline."""
    readings: Sequence[tuple[str, str, Reading]] = ()
    """Bed, device and reading, in the order in which they came: the last ones of every bed, and the cuff's of open
    sessions."""


def read(data_dir: Path, sessions: Iterable[Session], now: int) -> Before:
    """Read it, at UTC nanoseconds `now`. What cannot be read is left out, and the log says so."""
    try:
        history = History(data_dir)
        found = {session.id: recorded.read(history, session, now) for session in sessions}
        baselines = {name: one.baseline for name, one in found.items()}
        return Before(standing(data_dir), baselines, _readings(history, sessions, now))
    except JournalUnusable as error:
        _log.warning("what stood before cannot be read: %s", error)
        return Before()


def _readings(history: History, sessions: Iterable[Session], now: int) -> list[tuple[str, str, Reading]]:
    # Not without an end: where the clock was set back that would be all of the journal.
    span = now - (NOT_AFTER + LAST) * NS, now + NOT_AFTER * NS
    rows = {_key(row): row for row in history.readings(since=span[0], until=span[1])}
    newest = max((_came(row) for row in rows.values()), default=0)
    last = {key: row for key, row in rows.items() if now >= _came(row) >= newest - LAST * NS}
    # A vital that has long been doubtful was measured once: that, too, is not to be forgotten.
    valid = {(row.bed, row.vital): key for key, row in rows.items() if row.validity is Validity.VALID}
    last |= {key: rows[key] for key in valid.values() if _came(rows[key]) <= now}
    if newest < now - NOT_AFTER * NS:
        last = {}
    for session in sessions:
        # What was measured there before is of somebody else.
        came = max((stay.since for stay in session.stays if stay.until is None), default=session.opened_at)
        last = {key: row for key, row in last.items() if row.bed != session.bed or row.observed_at >= came}
        for vital, about in VITALS.items():
            if about.episodic:
                cuff = history.readings(session.bed, vital, came)
                last |= {_key(row): row for row in cuff}
    return [(row.bed, row.device, _reading(row)) for row in sorted(last.values(), key=_came)]


def _key(row: ReadingRow) -> tuple[str, str, str, int]:
    return row.bed, row.device, row.vital, row.observed_at


def _came(row: ReadingRow) -> int:
    return row.observed_at if row.received_at is None else row.received_at


def _reading(row: ReadingRow) -> Reading:
    episodic = row.vital in VITALS and VITALS[row.vital].episodic
    return Reading(row.vital, row.value, row.validity, row.observed_at, _came(row), row.cause, 0.0, episodic)
