"""What of a portion of the journal is told in HL7 messages.

It depends on the journal alone, not on what was sent before: so a portion that is sent again, by this run of the
program or the next, gives the same messages with the same ids.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from drivers.clock import NS
from drivers.vitals import VITALS
from monitor.alerts.conditions import AlertEvent
from monitor.hl7.alerts import alerted, is_told
from monitor.hl7.message import Visit
from monitor.hl7.observations import Observation, observed
from monitor.sessions.session import Session
from monitor.sinks.hl7_settings import Hl7Config
from monitor.storage import bed_sessions
from monitor.storage.backlog import Portion, ReadingTuple
from monitor.storage.lookups import Lookups
from monitor.storage.session_entries import SessionEntries

_Moment = tuple[str, str, int]
"""bed, device, observed_at."""


class Portions:
    """Makes messages of portions of the journal in `data_dir`. Raises JournalUnusable."""

    def __init__(self, config: Hl7Config, site: str, data_dir: Path) -> None:
        self._names = config.names(site)
        self._every = round(config.every_s * NS)
        self._with_alerts = config.alerts
        self._data_dir = data_dir

    def messages(self, portion: Portion) -> list[str]:
        """All that is told of it, in order of time."""
        placed = zip(portion.alerts, portion.alert_places, strict=True) if self._with_alerts else ()
        alerts = [(event, place.row) for event, place in placed if is_told(event)]
        if not (portion.readings or alerts):
            return []
        with Lookups(self._data_dir) as lookups:
            moments = self._moments(portion.readings, lookups)
            began = [(event, lookups.beginning(event, row)) for event, row in alerts]
        visits = _Visits(self._data_dir, moments)
        told = [
            (at, observed(self._names, visits.at(bed, at), device, at, observations))
            for (bed, device, at), observations in moments.items()
        ]
        told += [(event.at, alerted(self._names, visits.of(event), event, first)) for event, first in began]
        return [text for _, text in sorted(told, key=lambda it: it[0])]

    def _moments(self, readings: Iterable[ReadingTuple], lookups: Lookups) -> dict[_Moment, list[Observation]]:
        moments: defaultdict[_Moment, list[Observation]] = defaultdict(list)
        for bed, device, vital, value, validity, cause, at in self._sampled(readings, lookups):
            moments[bed, device, at].append(Observation(vital, value, validity, cause))
        return moments

    def _sampled(self, readings: Iterable[ReadingTuple], lookups: Lookups) -> Iterator[ReadingTuple]:
        """Every cuff reading, and of all else the first of each interval: as long as the journal has none before it."""
        if not self._every:
            yield from readings
            return
        firsts: dict[tuple[str, str, str, int], ReadingTuple] = {}
        for reading in readings:
            bed, device, vital, *_, at = reading
            if vital in VITALS and VITALS[vital].episodic:
                yield reading
                continue
            key = bed, device, vital, at // self._every
            known = firsts.get(key)
            if known is None or at < known[-1]:
                firsts[key] = reading
        for (bed, device, vital, interval), reading in firsts.items():
            begins = interval * self._every
            first = lookups.first_reading(bed, device, vital, begins, begins + self._every)
            if first is None or first >= reading[-1]:
                yield reading


class _Visits:
    """The sessions that a portion's readings and alerts belong to, each looked up once."""

    def __init__(self, data_dir: Path, moments: Mapping[_Moment, object]) -> None:
        self._entries = SessionEntries(data_dir)
        self._by_name: dict[str, Visit] = {}
        times: defaultdict[str, list[int]] = defaultdict(list)
        for bed, _, at in moments:
            times[bed].append(at)
        self._on_bed = {
            bed: bed_sessions.on_bed(data_dir, bed, min(all_), max(all_) + 1) for bed, all_ in times.items()
        }

    def at(self, bed: str, at: int) -> Visit:
        """Of what was recorded on a bed at that moment; of the session that was opened last, where two meet."""
        there = [session for session in self._on_bed[bed] if _was_there(session, bed, at)]
        if not there:
            return Visit(bed)
        session = max(there, key=lambda it: it.opened_at)
        return Visit(bed, session.reference, session.id)

    def of(self, event: AlertEvent) -> Visit:
        """Of an alert: it says itself of which session it is."""
        if not event.session:
            return Visit(event.bed)
        if event.session not in self._by_name:
            entries = self._entries.of(event.session)
            reference = Session(entries).reference if entries else ""
            self._by_name[event.session] = Visit("", reference, event.session)
        return self._by_name[event.session]._replace(bed=event.bed)


def _was_there(session: Session, bed: str, at: int) -> bool:
    return any(
        stay.bed == bed and stay.since <= at and (stay.until is None or at <= stay.until) for stay in session.stays
    )
