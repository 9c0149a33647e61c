"""A session as JSON: for the command line, the page and a clinic's own systems. Times are RFC 3339 text."""

from __future__ import annotations

from statistics import median
from typing import Any

from drivers.clock import NS, iso
from drivers.errors import ConfirmationNeeded, StepRefused
from monitor.sessions import criteria
from monitor.sessions.entries import Entry, Kind
from monitor.sessions.recorded import Recorded
from monitor.sessions.session import Session, Shown
from monitor.sessions.settings import Item, SessionsConfig
from monitor.sessions.steps import State, possible
from monitor.sessions.text import text_of


def brief(session: Session, now: int) -> dict[str, Any]:
    """A line of a list."""
    return {
        "session": session.id,
        "reference": session.reference,
        "bed": session.last_bed,
        "phase": session.phase.value,
        "state": session.state.value,
        "opened_at": iso(session.opened_at),
        "closed_at": _time(session.closed_at),
        "planned_minutes": session.planned_minutes,
        "profile": session.profile,
        "infusion": _infusion(session, now),
        "entries": len(session.entries),
    }


def full(session: Session, settings: SessionsConfig, recorded: Recorded, now: int) -> dict[str, Any]:
    """All of it, with what was computed from what was recorded."""
    return {
        **brief(session, now),
        "possible": [step.value for step in possible(session.state)],
        "beds": stays(session),
        "limits": dict(session.limits),
        "cuff": _cuff(session, settings, recorded, now),
        "checklist": [_item(session, item) for item in settings.checklist],
        "baseline": _baseline(settings, recorded),
        "discharge": _discharge(session, settings, recorded, now),
        "asked": criteria.question(session, settings, now) or None,
        "entries": entries(session),
    }


def stays(session: Session) -> list[dict[str, Any]]:
    """Where its recording is."""
    return [{"bed": it.bed, "since": iso(it.since), "until": _time(it.until)} for it in session.stays]


def entries(session: Session) -> list[dict[str, Any]]:
    """Each entry as it stands now; where it was corrected, with what was written first."""
    return [_shown(shown) for shown in session.shown]


def answer(session: Session, made: tuple[Entry, ...], now: int, *, recorded: bool) -> dict[str, Any]:
    """What was done; `recorded` is false where it waits in memory for a journal that cannot be written."""
    numbers = {entry.number for entry in made}
    return {
        "recorded": recorded,
        "session": session.id,
        "reference": session.reference,
        "bed": session.last_bed,
        "phase": session.phase.value,
        "state": session.state.value,
        "possible": [step.value for step in possible(session.state)],
        "infusion": _infusion(session, now),
        "entries": [_shown(shown) for shown in session.shown if shown.entry.number in numbers],
    }


def refusal(error: StepRefused) -> dict[str, Any]:
    """Why nothing was done, and what can be."""
    confirm = isinstance(error, ConfirmationNeeded)
    return {
        "error": "confirm" if confirm else "refused",
        "text": str(error),
        "possible": list(error.possible),
        "open": list(error.open) if isinstance(error, ConfirmationNeeded) else [],
    }


def announcement(bed: str, session: Session | None, event: str, now: int) -> dict[str, Any]:
    """What a clinic's own systems are told of a bed: nothing that a person wrote, and no reference."""
    told: dict[str, Any] = {"bed": bed, "at": iso(now), "event": event}
    if session is None:
        return told | {"session": None, "phase": None, "state": None, "infusion": None}
    return told | {
        "session": session.id,
        "phase": session.phase.value,
        "state": session.state.value,
        "opened_at": iso(session.opened_at),
        "planned_minutes": session.planned_minutes,
        "infusion": _infusion(session, now),
    }


def _infusion(session: Session, now: int) -> dict[str, Any] | None:
    if session.started_at is None:
        return None
    return {
        "started_at": iso(session.started_at),
        "running": session.state is State.RUNNING,
        "elapsed_s": round(session.elapsed(now), 1),
        "planned_end": _time(session.planned_end(now)),
        "overrun_s": round(session.overrun(now), 1),
    }


def _cuff(session: Session, settings: SessionsConfig, recorded: Recorded, now: int) -> dict[str, Any] | None:
    due_at = criteria.cuff_due_at(session, recorded.last_cuff_at, settings)
    if due_at is None:
        return None
    return {
        "every_min": criteria.cuff_every(session, settings),
        "last_at": _time(recorded.last_cuff_at),
        "due_at": iso(due_at),
        "overdue_s": round(max(0, now - due_at) / NS, 1),
    }


def _item(session: Session, item: Item) -> dict[str, Any]:
    found = criteria.answer(session, item)
    state = "open"
    if found is not None and not criteria.is_open(found):
        state = "skipped" if "skipped" in found.content else "answered"
    return {
        "item": item.id,
        "text": item.text,
        "state": state,
        "answer": found.content.get("answer") if found else None,
        "reason": found.content.get("skipped") if found else None,
        "by": found.entry.author if found else None,
        "at": iso(found.at) if found else None,
    }


def _baseline(settings: SessionsConfig, recorded: Recorded) -> dict[str, dict[str, Any]]:
    shown = {}
    for vital in (*settings.baseline, *(it for it in recorded.baseline if it not in settings.baseline)):
        values, bounds = recorded.baseline.get(vital), settings.baseline.get(vital)
        if values or (bounds and bounds.required):
            shown[vital] = {
                "median": median(values) if values else None,
                "readings": len(values or ()),
                "low": bounds.low if bounds else None,
                "high": bounds.high if bounds else None,
                "within": criteria.within_bounds(vital, bounds, recorded) if bounds else None,
            }
    return shown


def _discharge(session: Session, settings: SessionsConfig, recorded: Recorded, now: int) -> list[dict[str, Any]]:
    """As it stands; of a closed session as it stood, by the criteria of then."""
    last = session.steps[-1]
    if last.entry.kind is Kind.CLOSED:
        return list(last.content["criteria"])
    return [criterion._asdict() for criterion in criteria.discharge(session, recorded, settings, now)]


def _shown(shown: Shown) -> dict[str, Any]:
    """An entry as it stands now; where it was corrected, with what was written first."""
    entry = shown.entry
    return {
        "number": entry.number,
        "kind": entry.kind.value,
        "at": iso(shown.at),
        "entered_at": iso(entry.entered_at),
        "late_s": shown.late,
        "by": entry.author,
        "bed": entry.bed,
        "text": text_of(entry._replace(content=shown.content)),
        "content": shown.content,
        "void": shown.void,
        "corrected_by": list(shown.corrected_by),
        "was": {"at": iso(entry.at), "text": text_of(entry)} if shown.corrected_by else None,
    }


def _time(at: int | None) -> str | None:
    return None if at is None else iso(at)
