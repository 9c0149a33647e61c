"""Lines of the list of sessions, and which of them are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple

from monitor.sessions import view
from monitor.sessions.session import Session
from monitor.sessions.steps import State


class Status(StrEnum):
    """How far a chart is."""

    OPEN = "open"
    UNSIGNED = "unsigned"
    """Closed, and never signed."""
    SIGNED = "signed"
    AMENDED = "amended"
    """Signed, and something was entered since: it asks for a new signature."""
    CLOSED = "closed"
    """Any of these three."""


class Wanted(NamedTuple):
    """Which sessions are asked for; what is None does not matter."""

    bed: str | None = None
    """It was there at some time."""
    since: int | None = None
    """Opened then or later, UTC nanoseconds."""
    until: int | None = None
    """Opened before."""
    status: Status | None = None

    def fits(self, session: Session) -> bool:
        """Whether it is one of them."""
        return (
            (self.bed is None or any(stay.bed == self.bed for stay in session.stays))
            and (self.since is None or session.opened_at >= self.since)
            and (self.until is None or session.opened_at < self.until)
            and self.status in {None, status_of(session), Status.CLOSED if session.state is State.CLOSED else None}
        )


def status_of(session: Session) -> Status:
    """How far its chart is."""
    if session.state is not State.CLOSED:
        return Status.OPEN
    if session.signed:
        return Status.SIGNED
    return Status.AMENDED if session.signatures else Status.UNSIGNED


def line(session: Session, now: int) -> dict[str, Any]:
    """A line of the list."""
    status = status_of(session)
    return {
        **view.brief(session, now),
        "beds": list(dict.fromkeys(stay.bed for stay in session.stays)),
        "status": status.value,
        "signed": session.signed,
        "amended": is_amended(session),
    }


def is_amended(session: Session) -> bool:
    """Whether something was entered since it was signed; also where that opened it again."""
    return bool(session.signatures) and not session.signed


def portion(sessions: Iterable[Session], wanted: Wanted, most: int) -> tuple[list[Session], bool]:
    """The first of those that are asked for, and whether there are more."""
    found: list[Session] = []
    for session in sessions:
        if wanted.fits(session):
            if len(found) == most:
                return found, True
            found.append(session)
    return found, False
