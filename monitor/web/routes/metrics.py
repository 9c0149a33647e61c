"""`/metrics`: the station's own state for Prometheus, read when it is asked for.

Nothing counts along: what is told here the parts of the station know anyway. No label has anything of a patient.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.responses import Response

from monitor import __version__
from monitor.alerts.board import STATION
from monitor.alerts.conditions import AlertState, Kind, Priority
from monitor.sessions.steps import Phase
from monitor.sinks.forwarder import FORWARDING, Status
from monitor.web.errors import answers
from monitor.web.parts import Parts
from monitor.web.who import Viewer

METRICS = "/metrics"
PREFIX = "infusion_monitor_"

_STANDING: list[tuple[str, ...]] = [
    (priority.value, kind.value, state.value)
    for priority in (Priority.LOW, Priority.MEDIUM, Priority.HIGH)
    for kind in (Kind.PHYSIOLOGICAL, Kind.TECHNICAL)
    for state in (AlertState.ON, AlertState.LATCHED, AlertState.ACKNOWLEDGED)
]


def router(parts: Parts) -> APIRouter:
    """The route."""
    # Of this station alone: the library's own is one for the whole process.
    registry = CollectorRegistry()
    registry.register(_Collector(parts))
    routes = APIRouter(tags=["metrics"], responses=answers(401, 403))

    @routes.get(
        METRICS,
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics(_person: Viewer) -> Response:
        """The state of the station in the text format of Prometheus."""
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return routes


class _Collector:
    """Reads the station; on the event loop, to which most of it belongs."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._level: dict[str, float] = {}
        """By sink, when it was last seen to have all of the journal: monotonic seconds."""

    def describe(self) -> Iterable[Metric]:
        """None of them before it is asked for: the registry would read the station to learn their names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All of it as it is now."""
        yield _gauge("build_info", "1, with the version of the program.", 1, {"version": __version__})
        yield from self._of_hub()
        yield from self._of_sessions()
        yield from self._of_alerts()
        yield from self._of_journal()
        yield from self._of_sinks()

    def _of_hub(self) -> Iterator[Metric]:
        hub = self._parts.hub
        newest = hub.newest
        yield _gauge("beds", "Beds of the station.", hub.beds)
        links = {state.value: count for state, count in hub.links.items()}
        yield _by("devices", "Devices by the state of their links.", ("state",), links)
        ages = {bed: it.age for bed, it in newest.items()}
        yield _by("reading_age_seconds", "Seconds since the newest reading of a bed was measured.", ("bed",), ages)
        lag = max((it.lag for it in newest.values()), default=0.0)
        text = "Seconds from measurement to receipt of the beds' newest readings, the longest."
        yield _gauge("reading_lag_seconds", text, lag)
        yield _counter("readings", "Readings received since the station's start.", hub.readings)
        yield _gauge("pages_connected", "Pages that are given the live stream.", hub.viewers)

    def _of_sessions(self) -> Iterator[Metric]:
        if (desk := self._parts.desk) is not None:
            phases = Counter(dict.fromkeys((phase.value for phase in Phase if phase is not Phase.CLOSED), 0))
            phases.update(session.phase.value for session in desk.all_open())
            yield _by("sessions", "Open sessions by phase.", ("phase",), phases)

    def _of_alerts(self) -> Iterator[Metric]:
        if (board := self._parts.board) is not None:
            standing: Counter[tuple[str, ...]] = Counter(dict.fromkeys(_STANDING, 0))
            for bed in (*board.beds, STATION):
                events = (signal.event for signal in board.signals_of(bed).alerts.values())
                standing.update((it.priority.value, it.kind.value, it.state.value) for it in events)
            text = "Alerts that stand, of beds and of the station itself."
            yield _by("alerts", text, ("priority", "kind", "state"), standing)

    def _of_journal(self) -> Iterator[Metric]:
        if (recording := self._parts.recording) is not None:
            health, commits = recording.health(), recording.commits()
            yield _gauge("journal_ok", "1 where the last commit succeeded, else 0.", health.error is None)
            yield _counter("journal_committed_rows", "New rows on disk since the start.", health.committed_rows)
            yield _gauge("journal_waiting_rows", "Rows in memory that are not on disk yet.", health.waiting_rows)
            yield _counter("journal_dropped_rows", "Rows that are lost.", health.dropped_rows)
            yield _counter("journal_commits", "Commits since the start.", commits.number)
            if commits.seconds is not None:
                yield _gauge("journal_commit_seconds", "Seconds that the last commit took.", commits.seconds)

    def _of_sinks(self) -> Iterator[Metric]:
        if (recording := self._parts.recording) is not None and (sinks := recording.sinks()):
            lags = {sink.name: self._lag(sink) for sink in sinks}
            text = "Seconds since a sink was last seen here to have all of the journal; 0 where it has."
            yield _by("sink_lag_seconds", text, ("sink",), lags)
            ok = {sink.name: sink.state == FORWARDING for sink in sinks}
            yield _by("sink_ok", "1 where a sink takes what it is sent, else 0.", ("sink",), ok)

    def _lag(self, sink: Status) -> float:
        now = self._parts.clock.monotonic()
        if sink.through >= sink.newest:
            self._level[sink.name] = now
        return now - self._level.setdefault(sink.name, now)


def _gauge(name: str, text: str, value: float, labels: Mapping[str, str] | None = None) -> Metric:
    labels = labels or {}
    metric = GaugeMetricFamily(PREFIX + name, text, labels=tuple(labels))
    metric.add_metric(tuple(labels.values()), value)
    return metric


def _by(
    name: str, text: str, labels: tuple[str, ...], values: Mapping[str, float] | Mapping[tuple[str, ...], float]
) -> Metric:
    """A gauge for each of the labels' values."""
    metric = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for key, value in values.items():
        metric.add_metric((key,) if isinstance(key, str) else key, value)
    return metric


def _counter(name: str, text: str, value: float) -> Metric:
    """Its name ends with `_total`."""
    return CounterMetricFamily(PREFIX + name, text, value=value)
