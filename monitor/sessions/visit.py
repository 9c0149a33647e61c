"""What the alert engine has to know of a session: its phase, since when, and how often a cuff reading is due in it."""

from __future__ import annotations

from drivers.clock import NS
from monitor.alerts.in_force import Visit
from monitor.sessions import criteria
from monitor.sessions.session import Session
from monitor.sessions.settings import SessionsConfig


def visit_of(session: Session, settings: SessionsConfig, now_ns: int, monotonic: float) -> Visit | None:
    """The session as the engine takes it; None where it is closed or has no bed.

    `now_ns` (UTC nanoseconds) and `monotonic` (seconds) are the same moment. When the phase began is not exact to the
    last digit: asked again at another moment it may differ by less than a millisecond.
    """
    if not session.bed:
        return None
    in_phase_for = (session.steady(now_ns) - session.phase_began.steady) / NS
    every = criteria.cuff_every(session, settings)
    cuff_every = None if every is None else every * 60
    return Visit(session.id, session.phase.value, monotonic - in_phase_for, cuff_every)
