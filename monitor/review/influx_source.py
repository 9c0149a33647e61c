"""Charts from InfluxDB, as a head office makes them that has the records of many sites and none of their journals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drivers.errors import SessionUnknown
from monitor.alerts.conditions import AlertEvent
from monitor.config import InfluxdbConfig
from monitor.sessions.session import Session
from monitor.sinks.influxdb_record import InfluxdbRecord
from monitor.storage.charts import Trace
from monitor.storage.device_events import DeviceEvent


class InfluxdbSource:
    """The InfluxDB of that section of the configuration, and what the station of `site` has forwarded there.

    A chart from here is that from the station's journal, field for field, as far as all of it was forwarded, taken and
    is kept there. Every question raises SinkRefused where a person is needed: the server refuses, or a station of an
    older version forwarded it, which did not write all that a chart needs; SinkBusy where the server cannot be
    reached; ConfigError where no token is to be had.
    """

    def __init__(self, section: InfluxdbConfig, site: str) -> None:
        self._record = InfluxdbRecord(section, site)
        self._site = site

    def session(self, name: str) -> Session:
        """See `Source.session`."""
        entries = self._record.entries(name)
        if not entries:
            raise SessionUnknown(f"InfluxDB has no session {name} of site {self._site}")
        return Session(entries)

    def sessions(self, since: int, until: int) -> Iterable[Session]:
        """See `Source.sessions`."""
        stored = map(Session, self._record.opened(since, until))
        return sorted((it for it in stored if since <= it.opened_at < until), key=lambda it: (it.opened_at, it.id))

    def traces(self, bed: str, since: int, until: int) -> Sequence[Trace]:
        """See `Source.traces`."""
        return self._record.traces(bed, since, until)

    def alerts(self, bed: str, since: int, until: int) -> Sequence[AlertEvent]:
        """See `Source.alerts`."""
        return self._record.alerts(bed, since, until)

    def devices(self, bed: str, since: int, until: int) -> Sequence[DeviceEvent]:
        """See `Source.devices`."""
        return self._record.device_events(bed, since, until)
