"""Where a chart is made from: the journal here, InfluxDB in `influx_source`. Both give the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from drivers.errors import SessionUnknown
from monitor.alerts.conditions import AlertEvent
from monitor.sessions.session import Session
from monitor.storage import device_events
from monitor.storage.charts import Trace
from monitor.storage.device_events import DeviceEvent
from monitor.storage.history import History
from monitor.storage.session_entries import SessionEntries


class Source(Protocol):
    """What a chart asks for. Times are UTC nanoseconds; `since` is inside a span, `until` is not."""

    def session(self, name: str) -> Session:
        """The session of that id. Raises SessionUnknown."""

    def sessions(self, since: int, until: int) -> Iterable[Session]:
        """Every session that was opened in that span, in the order of their openings."""

    def traces(self, bed: str, since: int, until: int) -> Sequence[Trace]:
        """Every reading, a trace for each series that has any."""

    def alerts(self, bed: str, since: int, until: int) -> Sequence[AlertEvent]:
        """What became of alerts, in order of time."""

    def devices(self, bed: str, since: int, until: int) -> Sequence[DeviceEvent]:
        """What became of devices, in order of time."""


class JournalSource:
    """The journal in `data_dir`; every question raises JournalUnusable where it cannot be read."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._history = History(data_dir)

    def session(self, name: str) -> Session:
        """See `Source.session`."""
        entries = SessionEntries(self._data_dir).of(name)
        if not entries:
            raise SessionUnknown(f"there is no session {name}")
        return Session(entries)

    def sessions(self, since: int, until: int) -> Iterable[Session]:
        """See `Source.sessions`."""
        # What was opened then was entered then or later.
        stored = map(Session, SessionEntries(self._data_dir).all(since))
        return sorted((it for it in stored if since <= it.opened_at < until), key=lambda it: (it.opened_at, it.id))

    def traces(self, bed: str, since: int, until: int) -> Sequence[Trace]:
        """See `Source.traces`."""
        return self._history.chart(bed, since, until)

    def alerts(self, bed: str, since: int, until: int) -> Sequence[AlertEvent]:
        """See `Source.alerts`."""
        return list(self._history.alerts(bed, since, until))

    def devices(self, bed: str, since: int, until: int) -> Sequence[DeviceEvent]:
        """See `Source.devices`."""
        return device_events.between(self._data_dir, bed, since, until)
