"""What an audit says of a change of a session: what it was about, and what stood before and after."""

from __future__ import annotations

from typing import NamedTuple

from monitor.sessions.entries import Entry, Kind
from monitor.sessions.session import Session
from monitor.sessions.text import text_of


class Change(NamedTuple):
    """One change, in words."""

    detail: str
    old: str
    """Empty where nothing stood there."""
    new: str


def change(session: Session, entry: Entry) -> Change:
    """What that entry changed of the session, which has it."""
    detail = f"session {session.id}, entry {entry.number}"
    if entry.bed:
        detail += f", {entry.bed}"
    earlier = session.entries[: entry.number - 1]
    return Change(detail, _before(Session(earlier), entry) if earlier else "", text_of(entry))


def _before(session: Session, entry: Entry) -> str:
    match entry.kind:
        case Kind.STEP | Kind.CLOSED:
            return session.state.value
        case Kind.LIMIT:
            limit = session.limits.get(entry.content["rule"])
            return "the profile's limit" if limit is None else f"{limit:g}"
        case Kind.CORRECTION:
            shown = next(it for it in session.shown if it.entry.number == entry.content["corrects"])
            return text_of(shown.entry._replace(content=shown.content))
        case Kind.MOVED:
            return session.bed
        case Kind.CHECK:
            last = session.latest(Kind.CHECK, "item").get(entry.content["item"])
            return "" if last is None else text_of(last.entry._replace(content=last.content))
        case _:
            return ""
