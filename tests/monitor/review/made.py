"""Charts of sessions that are written down by hand: what each test is about, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from drivers.clock import NS
from drivers.errors import SessionUnknown
from drivers.events import Validity
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority, Why
from monitor.review import chart
from monitor.review.chart import Chart
from monitor.sessions.session import Session
from monitor.storage.blocks import Readings
from monitor.storage.charts import Trace
from monitor.storage.device_events import DeviceEvent
from tests.monitor.sessions.helpers import MINUTE, START

BED = "chair-1"


@dataclass
class Record:
    """What was recorded, as a source of charts. Seconds and minutes are after the start of the sessions' tests."""

    traces_: list[Trace] = field(default_factory=list)
    alerts_: list[AlertEvent] = field(default_factory=list)
    devices_: list[DeviceEvent] = field(default_factory=list)
    session_: Session | None = None

    def measured(
        self,
        vital: str,
        seconds: Iterable[float],
        values: Iterable[float | None] | float | None,
        *,
        validity: Validity = Validity.VALID,
        cause: str = "",
        bed: str = BED,
        device: str = "monitor",
    ) -> Record:
        at = np.array([START + round(it * NS) for it in seconds], np.int64)
        numbers = [values] * len(at) if values is None or isinstance(values, int | float) else list(values)
        value = np.array([np.nan if it is None else it for it in numbers], np.float64)
        code = np.where(np.isnan(value), Validity.INVALID, validity).astype(np.uint8)
        causes = ("", cause) if cause else ("",)
        place = np.full(len(at), len(causes) - 1, np.uint16)
        self.traces_.append(Trace(bed, device, vital, Readings(at, at, value, code, place, causes)))
        return self

    def alert(
        self,
        minutes: float,
        state: AlertState,
        rule: str = "spo2_low",
        *,
        priority: Priority = Priority.HIGH,
        kind: Kind = Kind.PHYSIOLOGICAL,
        actor: str = "",
        session: str = "s1",
    ) -> Record:
        at = START + round(minutes * MINUTE)
        why = Why.OPERATOR if actor else Why.READING
        self.alerts_.append(
            AlertEvent(BED, rule, kind, priority, state, at, rule, why=why, actor=actor, session=session)
        )
        return self

    def session(self, name: str) -> Session:
        if self.session_ is None or self.session_.id != name:
            raise SessionUnknown(name)
        return self.session_

    def sessions(self, since: int, until: int) -> Iterable[Session]:
        return [it for it in [self.session_] if it is not None and since <= it.opened_at < until]

    def traces(self, bed: str, since: int, until: int) -> Sequence[Trace]:
        found = []
        for trace in self.traces_:
            at = trace.readings.observed_at
            here = (at >= since) & (at < until)
            if trace.bed == bed and here.any():
                *columns, causes = trace.readings
                found.append(trace._replace(readings=Readings(*(column[here] for column in columns), causes)))
        return found

    def alerts(self, bed: str, since: int, until: int) -> Sequence[AlertEvent]:
        return [it for it in self.alerts_ if it.bed == bed and since <= it.at < until]

    def devices(self, bed: str, since: int, until: int) -> Sequence[DeviceEvent]:
        return [it for it in self.devices_ if it.bed == bed and since <= it.at < until]

    def chart(self, session: Session, now: int = 0) -> Chart:
        return chart.build(self, session, now)
