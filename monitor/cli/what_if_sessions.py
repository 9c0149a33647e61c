"""A session in the journal as a recording, with its phases: what what-if judges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drivers.clock import NS
from drivers.clock_lag import TOLERATED, ClockLag
from drivers.errors import ConfigError
from drivers.recordings.recording import Recording, Series, moments
from drivers.vitals import VITALS
from monitor.alerts.in_force import Visit
from monitor.alerts.what_if_columns import Moment
from monitor.sessions.entries import Kind
from monitor.sessions.session import Session, Shown
from monitor.sessions.settings import SessionsConfig
from monitor.sessions.steps import STEPS, Phase, Step
from monitor.storage.charts import Trace
from monitor.storage.history import LATEST, History
from monitor.storage.session_entries import SessionEntries


def sessions_of(data_dir: Path, ids: Sequence[str] | None) -> list[Session]:
    """Those sessions, or all. Raises ConfigError for one that is not there, and JournalUnusable."""
    entries = SessionEntries(data_dir)
    if ids is None:
        return [Session(of_one) for of_one in entries.all()]
    found = {name: entries.of(name) for name in ids}
    if absent := [name for name, of_one in found.items() if not of_one]:
        raise ConfigError([f"--session {name}: there is no such session in {data_dir}" for name in absent])
    return [Session(of_one) for of_one in found.values()]


def recorded(history: History, session: Session, settings: SessionsConfig) -> tuple[Recording, list[Moment]]:
    """What was measured in the session, in seconds since its opening, and when its phases began.

    A condition that stood when the session was closed stands at the end. Moves from bed to bed are not seen: the
    session is judged as if it had been on one.
    """
    origin = session.opened_at
    by_vital: defaultdict[str, list[tuple[Trace, NDArray[np.float64] | None]]] = defaultdict(list)
    for traces in _by_device(history, session):
        for trace, behind in _with_clocks(traces):
            by_vital[trace.vital].append((trace, behind))
    series = {vital: _series(vital, by_vital[vital], origin) for vital in VITALS if vital in by_vital}
    visits = _visits(session, settings)
    last = max([visits[-1].t, *(float(one.t[-1]) for one in series.values())])
    if session.closed_at is not None:
        last = _t(session.closed_at, origin)
    return Recording(session.id, series, 0.0, max(0.0, last), origin), visits


def _by_device(history: History, session: Session) -> Iterator[list[Trace]]:
    for bed, begins, ends in session.stretches(LATEST):
        devices: defaultdict[str, list[Trace]] = defaultdict(list)
        for trace in history.chart(bed, begins, ends):
            devices[trace.device].append(trace)
        yield from devices.values()


def _with_clocks(traces: Sequence[Trace]) -> Iterator[tuple[Trace, NDArray[np.float64] | None]]:
    """The traces of one device, each with how far its clock was judged to be behind when the reading came."""
    continuous = [it.readings for it in traces if it.vital in VITALS and not VITALS[it.vital].episodic]
    late = [(it.received_at - it.observed_at) / NS for it in continuous]
    if not any((lag > TOLERATED).any() for lag in late):
        yield from ((trace, None) for trace in traces)
        return
    received = np.concatenate([it.received_at for it in continuous])
    order = np.argsort(received, kind="stable")
    lag, judged = ClockLag(), []
    # As it was judged when they came: one after the other, and only of a device whose readings came late.
    for seconds, now in zip(np.concatenate(late)[order].tolist(), (received[order] / NS).tolist(), strict=True):
        lag.observe(seconds, now)
        judged.append(lag.behind)
    known = np.array([0.0, *judged])
    for trace in traces:
        yield trace, known[np.searchsorted(received[order], trace.readings.received_at, "right")]


def _series(vital: str, parts: Sequence[tuple[Trace, NDArray[np.float64] | None]], origin: int) -> Series:
    """All of one vital, of whatever device, in the order in which it came."""
    table: dict[str, int] = {}
    for trace, _ in parts:
        for cause in trace.readings.causes:
            table.setdefault(cause, len(table))
    received = np.concatenate([it.readings.received_at for it, _ in parts])
    order = np.argsort(received, kind="stable")
    behind = [np.zeros(len(it.readings.values)) if known is None else known for it, known in parts]
    causes = [np.array([table[one] for one in it.readings.causes], np.intp)[it.readings.cause] for it, _ in parts]
    return Series(
        moments((received[order] - origin) / NS),
        np.concatenate([it.readings.values for it, _ in parts])[order],
        np.concatenate([it.readings.validity for it, _ in parts])[order],
        np.concatenate(causes)[order],
        tuple(table),
        np.concatenate([it.readings.observed_at for it, _ in parts])[order],
        received[order],
        VITALS[vital].episodic,
        np.concatenate(behind)[order] if any(known is not None for _, known in parts) else None,
    )


def _visits(session: Session, settings: SessionsConfig) -> list[Moment]:
    every = {phase: minutes * 60.0 for phase, minutes in settings.cuff_every.model_dump().items()}
    found: list[Moment] = []
    before, t = None, 0.0
    for shown in session.steps:
        phase = _phase(shown)
        if phase is Phase.CLOSED:
            break
        if phase is not before:
            # Two steps that were entered late may have changed places.
            t = max(t, _t(shown.at, session.opened_at))
            found.append(Moment(t, Visit(session.id, phase.value, t, every.get(phase.value))))
        before = phase
    return found


def _phase(shown: Shown) -> Phase:
    if shown.entry.kind is Kind.OPENED:
        return Phase.CHECK_IN
    return Phase.CLOSED if shown.entry.kind is Kind.CLOSED else STEPS[Step(shown.content["step"])].to.phase


def _t(at: int, origin: int) -> float:
    return float(moments(np.array((at - origin) / NS)))
