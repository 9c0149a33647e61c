"""What was recorded of a session's vitals, as far as its checks look at it: read from the journal, never held."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from drivers.clock import NS
from drivers.events import Validity
from drivers.vitals import VITALS
from monitor.sessions.session import Session
from monitor.sessions.steps import Step
from monitor.storage.history import History

FRESH = 300
"""Seconds for which a continuous vital's last value says how the patient is; a cuff pressure does for the session."""
_CUFF = tuple(key for key, vital in VITALS.items() if vital.episodic)


class Recorded(NamedTuple):
    """Valid readings only."""

    baseline: Mapping[str, tuple[float, ...]]
    """By vital: those of the baseline phase, in order of time."""
    latest: Mapping[str, tuple[int, float]]
    """By vital: when the newest was measured (UTC nanoseconds), and its value."""
    last_cuff_at: int | None
    """When a cuff pressure was last measured in this session, UTC nanoseconds."""


NOTHING = Recorded({}, {}, None)


def read(history: History, session: Session, now: int) -> Recorded:
    """What the journal has of the session, until `now` or its closing. Raises JournalUnusable."""
    until = (session.closed_at or now) + 1
    latest: dict[str, tuple[int, float]] = {}
    for cuff in _CUFF:
        for vital, at, value in _valid(history, session, session.opened_at, until, cuff):
            latest[vital] = (at, value)
    last_cuff_at = max((at for at, _ in latest.values()), default=None)
    for vital, at, value in _valid(history, session, until - FRESH * NS, until):
        latest[vital] = (at, value)
    return Recorded(baseline(history, session, now), latest, last_cuff_at)


def baseline(
    history: History, session: Session, now: int, vitals: Iterable[str | None] = (None,)
) -> dict[str, tuple[float, ...]]:
    """By vital the valid readings of its baseline phase until `now`, of these vitals or of all.

    Raises JournalUnusable.
    """
    found: dict[str, list[float]] = {}
    if span := _baseline(session, (session.closed_at or now) + 1):
        for one in vitals:
            for vital, _, value in _valid(history, session, *span, one):
                found.setdefault(vital, []).append(value)
    return {vital: tuple(values) for vital, values in found.items()}


def _baseline(session: Session, until: int) -> tuple[int, int] | None:
    """The baseline phase; None where there was none."""
    for shown, after in zip(session.steps, (*session.steps[1:], None), strict=True):
        if shown.content.get("step") == Step.BASELINE:
            return shown.at, until if after is None else after.at
    return None


def _valid(
    history: History, session: Session, since: int, until: int, vital: str | None = None
) -> Iterator[tuple[str, int, float]]:
    """Vital, time and value of each."""
    for bed, begins, ends in session.stretches(until):
        for row in history.readings(bed, vital, max(since, begins), ends):
            if row.validity is Validity.VALID and row.value is not None:
                yield row.vital, row.observed_at, row.value
