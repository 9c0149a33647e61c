"""What a station takes up again when it starts: the alerts that stood, and what was measured just before it ended.

All of it is read from the journal, so that nothing depends on how the station ended.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from drivers.clock import NS
from drivers.errors import JournalUnusable
from drivers.events import Reading, Validity
from drivers.vitals import VITALS
from monitor.sessions import recorded
from monitor.sessions.session import Session
from monitor.storage.charts import Trace
from monitor.storage.history import History, ReadingRow
from monitor.storage.standing import Standing, standing

LAST = 60
"""Seconds before the end that are gone through again: so a vital that went missing at that time is missed."""
NOT_AFTER = 600
"""Seconds of standing still after which the last readings say nothing of who is on the bed now."""

_log = logging.getLogger(__name__)

Device = tuple[str, str]
"""Its bed, and its id there."""


class Before(NamedTuple):
    """How things stood when the station ended."""

    standing: Sequence[Standing] = ()
    baselines: Mapping[str, Mapping[str, tuple[float, ...]]] = {}
    """By session and vital: the valid readings of its baseline."""
    readings: Sequence[tuple[str, str, Reading]] = ()
    """Bed, device and reading, in the order in which they came: the last ones of every bed, and the cuff's of open
    sessions."""


def read(
    data_dir: Path,
    devices: Collection[Device],
    sessions: Sequence[Session],
    now: int,
    relative: Callable[[Session], Iterable[str]],
) -> Before:
    """Read it, at UTC nanoseconds `now`; of a session's baseline the vitals that `relative` gives.

    `devices` are those of the configuration: of others (a recording was imported, a device was taken away) nothing is
    gone through again. What cannot be read is left out, and the log says so.
    """
    try:
        history = History(data_dir)
        baselines = {session.id: recorded.baseline(history, session, now, relative(session)) for session in sessions}
        return Before(standing(data_dir), baselines, _readings(history, devices, sessions, now))
    except JournalUnusable as error:
        _log.warning("what stood before cannot be read: %s", error)
        return Before()


def recent(data_dir: Path, devices: Collection[Device], now: int, seconds: float) -> list[Trace]:
    """What these devices measured in the last seconds before UTC nanoseconds `now`, for the trends."""
    try:
        history = History(data_dir)
        beds = dict.fromkeys(bed for bed, _ in devices)
        found = (trace for bed in beds for trace in history.chart(bed, now - round(seconds * NS), now))
        return [trace for trace in found if (trace.bed, trace.device) in devices]
    except JournalUnusable as error:
        _log.warning("the last minutes before cannot be read: %s", error)
        return []


def _readings(
    history: History, devices: Collection[Device], sessions: Iterable[Session], now: int
) -> list[tuple[str, str, Reading]]:
    newest = history.newest_received(devices) or 0
    last: dict[tuple[str, str, str, int], ReadingRow] = {}
    if now - NOT_AFTER * NS <= newest <= now:
        since = newest - LAST * NS
        last = {_key(row): row for row in history.readings(since=since, until=now)}
        # A vital that has long been doubtful was measured once: that, too, is not to be forgotten.
        valid = {(row.bed, row.vital) for row in last.values() if row.validity is Validity.VALID}
        for bed, vital in {(row.bed, row.vital) for row in last.values()} - valid:
            earlier = list(history.readings(bed, vital, since - NOT_AFTER * NS, since))
            last |= {_key(row): row for row in earlier if row.validity is Validity.VALID}
    # What was measured on a bed before the session came there is of somebody else.
    came = {session.bed: _came_to_bed(session) for session in sessions}
    last = {key: row for key, row in last.items() if row.observed_at >= came.get(row.bed, 0)}
    for session in sessions:
        for vital, about in VITALS.items():
            if about.episodic:
                last |= {_key(row): row for row in history.readings(session.bed, vital, came[session.bed])}
    of_devices = (row for row in last.values() if (row.bed, row.device) in devices)
    return [(row.bed, row.device, _reading(row)) for row in sorted(of_devices, key=_came)]


def _came_to_bed(session: Session) -> int:
    return max((stay.since for stay in session.stays if stay.until is None), default=session.opened_at)


def _key(row: ReadingRow) -> tuple[str, str, str, int]:
    return row.bed, row.device, row.vital, row.observed_at


def _came(row: ReadingRow) -> int:
    return row.observed_at if row.received_at is None else row.received_at


def _reading(row: ReadingRow) -> Reading:
    episodic = row.vital in VITALS and VITALS[row.vital].episodic
    return Reading(row.vital, row.value, row.validity, row.observed_at, _came(row), row.cause, 0.0, episodic)
