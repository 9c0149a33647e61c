"""What each request adds to a session, or why it is refused: pure functions of what is known.

The desk (`desk.py`) finds the session, asks these and writes down what they give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import ValidationError

from drivers.errors import ConfirmationNeeded, StepRefused
from monitor.alerts.profile import ProfileConfig
from monitor.alerts.rules import LimitRule
from monitor.sessions import criteria
from monitor.sessions.entries import Kind
from monitor.sessions.recorded import Recorded
from monitor.sessions.requests import (
    AssignRequest,
    CheckRequest,
    CloseRequest,
    CorrectRequest,
    LimitRequest,
    MoveRequest,
    NoteRequest,
    OpenRequest,
    PhaseRequest,
    Request,
    ScoreRequest,
    SignRequest,
)
from monitor.sessions.session import Session, Shown, Stay
from monitor.sessions.settings import SessionsConfig
from monitor.sessions.steps import STEPS, State, Step, possible
from monitor.sessions.text import local

_CORRECTABLE: Mapping[Kind, frozenset[str]] = {
    Kind.OPENED: frozenset({"at", "reference", "planned_minutes"}),
    Kind.STEP: frozenset({"at", "void"}),
    Kind.CHECK: frozenset({"at", "answer", "void"}),
    Kind.NOTE: frozenset({"at", "text", "void"}),
    Kind.EVENT: frozenset({"at", "text", "void"}),
    Kind.DOSE: frozenset({"at", "text", "void"}),
    Kind.SCORE: frozenset({"at", "value", "text", "void"}),
    Kind.MOVED: frozenset({"at"}),
    Kind.ASSIGNED: frozenset({"void"}),
    Kind.LIMIT: frozenset({"void"}),
    Kind.CLOSED: frozenset({"at", "void"}),
}
"""What a correction can change of each kind of entry."""


@dataclass(frozen=True)
class Known:
    """What the rules look at besides the session."""

    settings: SessionsConfig
    beds: frozenset[str]
    now: int
    """UTC nanoseconds."""
    profiles: Mapping[str, ProfileConfig]
    """The alert profiles that a session can be opened with, by name."""
    default_profile: str
    recorded: Recorded | None = None
    """None where the journal cannot be read; looked at by what starts or ends something only."""
    others: tuple[Session, ...] = ()
    """Other sessions that may have been on the same bed at the same time."""


class Draft(NamedTuple):
    """An entry before it has a number."""

    kind: Kind
    at: int
    content: dict[str, Any]
    bed: str


def opening(request: OpenRequest, known: Known) -> Draft:
    """The first entry of a session. Raises StepRefused."""
    if request.bed is not None:
        _known_bed(request.bed, known)
        for other in known.others:
            if other.bed == request.bed:
                raise StepRefused(f"{request.bed} has an open session: {_introduced(other)}")
    name = request.profile or known.default_profile
    if name not in known.profiles:
        there = tuple(known.profiles)
        raise StepRefused(f"there is no alert profile {name!r}; there are: {', '.join(there)}", there)
    content = {
        "reference": request.reference,
        "planned_minutes": request.planned_minutes or known.settings.planned_minutes,
        "profile": name,
        # As it is now: what was in force has to be known when its file has long been changed.
        "rules": known.profiles[name].model_dump(mode="json", exclude_defaults=True),
    }
    return Draft(Kind.OPENED, _moment(request.at, known), content, request.bed or "")


def next_entry(request: Request, session: Session, known: Known) -> Draft:
    """The entry that a request adds. Raises StepRefused, or ConfirmationNeeded with what is open."""
    return _RULES[type(request)](request, session, known)


def settable(profile: ProfileConfig) -> Mapping[str, tuple[float, float]]:
    """The rules of which a nurse may set the limit for one session, and from what to what."""
    limits = (rule for rule in profile.compiled().rules if isinstance(rule, LimitRule))
    return {rule.id: rule.bounds for rule in limits if rule.bounds is not None}


def refuse_overlap(session: Session, others: Iterable[Session]) -> None:
    """Raise StepRefused where a stretch of this session's recording is another session's already."""
    for other in others:
        for theirs in other.stays:
            for ours in session.stays:
                if ours.bed == theirs.bed and _overlap(ours, theirs):
                    until = "now" if theirs.until is None else local(theirs.until)
                    raise StepRefused(
                        f"{ours.bed} was in session {other.id} from {local(theirs.since)} to {until}: "
                        "a recording belongs to one session"
                    )


def _phase(request: PhaseRequest, session: Session, known: Known) -> Draft:
    _refuse_wrong_step(request.step, session)
    content: dict[str, Any] = {"step": request.step.value}
    if request.step is Step.START:
        still_open = criteria.open_before_infusion(session, known.recorded, known.settings)
        if still_open and not request.confirm:
            raise ConfirmationNeeded(
                f"before the infusion is open: {'; '.join(still_open)}. Confirm to start it all the same",
                tuple(still_open),
            )
        if still_open:
            content["confirmed"] = still_open
    if request.reason is not None:
        content["reason"] = request.reason
    return Draft(Kind.STEP, _moment_of_step(request.at, session, known), content, session.bed)


def _close(request: CloseRequest, session: Session, known: Known) -> Draft:
    _refuse_wrong_step(Step.CLOSE, session)
    at = _moment_of_step(request.at, session, known)
    found = criteria.discharge(session, known.recorded, known.settings, at)
    still_open = [f"{criterion.text} ({criterion.detail})" for criterion in found if not criterion.met]
    if still_open and request.reason is None:
        raise ConfirmationNeeded(
            f"open for the discharge: {'; '.join(still_open)}. Give a reason to close all the same", tuple(still_open)
        )
    content: dict[str, Any] = {"criteria": [criterion._asdict() for criterion in found]}
    if request.reason is not None:
        content["reason"] = request.reason
    return Draft(Kind.CLOSED, at, content, session.bed)


def _check(request: CheckRequest, session: Session, known: Known) -> Draft:
    items = {item.id: item for item in (*known.settings.checklist, *known.settings.discharge.checklist)}
    if request.item not in items:
        raise StepRefused(f"there is no item {request.item!r}; there are: {', '.join(items)}", tuple(items))
    if request.answer is not None and request.skip is not None:
        raise StepRefused("an item is answered or skipped, not both")
    said = {"skipped": request.skip} if request.skip is not None else {"answer": request.answer or "yes"}
    content = {"item": request.item, "title": items[request.item].text, **said}
    return Draft(Kind.CHECK, _moment(request.at, known), content, session.last_bed)


def _note(request: NoteRequest, session: Session, known: Known) -> Draft:
    at = _moment(request.at, known)
    if request.event is not None:
        events = {event.id: event for event in known.settings.events}
        if request.dose:
            raise StepRefused("an entry is an event or a dose, not both")
        if request.event not in events:
            raise StepRefused(f"there is no event {request.event!r}; there are: {', '.join(events)}", tuple(events))
        title = events[request.event].text
        content = {"event": request.event, "title": title, "text": request.text or ""}
        return Draft(Kind.EVENT, at, content, session.last_bed)
    if request.text is None:
        raise StepRefused("a note needs a text")
    return Draft(Kind.DOSE if request.dose else Kind.NOTE, at, {"text": request.text}, session.last_bed)


def _score(request: ScoreRequest, session: Session, known: Known) -> Draft:
    scales = known.settings.all_scales
    if request.scale not in scales:
        raise StepRefused(f"there is no scale {request.scale!r}; there are: {', '.join(scales)}", tuple(scales))
    scale = scales[request.scale]
    _in_scale(request.scale, request.value, known)
    content = {
        "scale": request.scale,
        "title": scale.title,
        "version": scale.version,
        "value": request.value,
        "text": request.text or "",
    }
    return Draft(Kind.SCORE, _moment(request.at, known), content, session.last_bed)


def _move(request: MoveRequest, session: Session, known: Known) -> Draft:
    _known_bed(request.bed, known)
    if session.state is State.CLOSED:
        raise StepRefused(f"session {session.id} is closed: nobody is to be moved")
    if session.bed == request.bed:
        raise StepRefused(f"session {session.id} is on {request.bed} already")
    for other in known.others:
        if other.bed == request.bed:
            raise StepRefused(f"{request.bed} has an open session: {_introduced(other)}")
    content = {"from": session.bed, "to": request.bed}
    return Draft(Kind.MOVED, _moment_of_step(request.at, session, known), content, request.bed)


def _assign(request: AssignRequest, _session: Session, known: Known) -> Draft:
    # The bed need not be of the configuration any more.
    if request.since >= request.until:
        raise StepRefused("the recording's end is not after its beginning")
    _moment(request.until, known)
    content = {"bed": request.bed, "since": request.since, "until": request.until}
    return Draft(Kind.ASSIGNED, known.now, content, request.bed)


def _limit(request: LimitRequest, session: Session, known: Known) -> Draft:
    if session.state is State.CLOSED:
        raise StepRefused(f"session {session.id} is closed: no limit of it is in force")
    if not session.rules:
        raise StepRefused(f"session {session.id} is older than alert profiles: no limit of it can be set")
    try:
        bounds = settable(ProfileConfig.model_validate(session.rules))
    except ValidationError as error:
        raise StepRefused(
            f"profile {session.profile} was stored by another version, which this one cannot read: no limit can be set"
        ) from error
    if request.rule not in bounds:
        can = ", ".join(f"{rule} ({low:g} to {high:g})" for rule, (low, high) in bounds.items())
        raise StepRefused(
            f"profile {session.profile} lets nobody set a limit of {request.rule!r}, but of: {can or 'none'}",
            tuple(bounds),
        )
    low, high = bounds[request.rule]
    if request.limit is not None and not low <= request.limit <= high:
        raise StepRefused(
            f"the limit of {request.rule} can be set from {low:g} to {high:g}; {request.limit:g} is outside"
        )
    content = {"rule": request.rule, "limit": request.limit, "reason": request.reason}
    return Draft(Kind.LIMIT, known.now, content, session.bed)


def _sign(request: SignRequest, session: Session, known: Known) -> Draft:
    if session.state is not State.CLOSED:
        raise StepRefused(f"session {session.id} is not closed: its chart is not complete", possible(session.state))
    if session.signed:
        last = session.shown[-1]
        raise StepRefused(f"{last.entry.author} signed it at {local(last.at)}, and nothing was entered since")
    last_number = len(session.entries)
    if request.through != last_number:
        raise StepRefused(
            f"the chart has entries through {last_number} and was seen through {request.through}: look at it again"
        )
    return Draft(Kind.SIGNED, known.now, {"through": last_number}, session.last_bed)


def _correct(request: CorrectRequest, session: Session, known: Known) -> Draft:
    found = next((shown for shown in session.shown if shown.entry.number == request.number), None)
    if found is None:
        raise StepRefused(f"session {session.id} has no entry {request.number}")
    changes = _changes(request, found)
    last_step = session.steps[-1]
    if "void" in changes and found in session.steps and found is not last_step:
        raise StepRefused(f"only the last step can be void, entry {last_step.entry.number}; correct its time")
    if "value" in changes:
        _in_scale(found.content["scale"], changes["value"], known)
    if "at" in changes:
        # By the clock of the original: what was then may lie ahead of a clock that was set back since.
        steady = changes["at"] - (found.at - found.steady)
        if steady > session.steady(known.now):
            raise StepRefused(f"{local(changes['at'])} is in the future")
        if found in session.timeline:
            _between_neighbours(found, steady, session)
    content = {"corrects": request.number, **changes, "reason": request.reason}
    return Draft(Kind.CORRECTION, known.now, content, session.last_bed)


def _changes(request: CorrectRequest, found: Shown) -> dict[str, Any]:
    """What is to stand instead. Raises StepRefused where that entry cannot be corrected so."""
    number, kind = found.entry.number, found.entry.kind
    if kind not in _CORRECTABLE:
        raise StepRefused(f"entry {number} ({kind.replace('_', ' ')}) cannot be corrected")
    if found.void:
        raise StepRefused(f"entry {number} is void already, see entry {found.corrected_by[-1]}")
    about = {"verb", "request", "by", "session", "number", "reason"}
    changes = request.model_dump(exclude=about, exclude_none=True, exclude_defaults=True)
    if not changes:
        raise StepRefused("a correction says what is to stand instead, or that the entry is void")
    if wrong := sorted(changes.keys() - _CORRECTABLE[kind]):
        can = ", ".join(sorted(_CORRECTABLE[kind]))
        raise StepRefused(f"{', '.join(wrong)} cannot be corrected in entry {number}, but {can}")
    if "void" in changes and len(changes) > 1:
        raise StepRefused("an entry is void or corrected, not both")
    if "answer" in changes and "skipped" in found.content:
        raise StepRefused(f"entry {number} skipped the item: answer it by a new entry")
    return changes


def _between_neighbours(found: Shown, steady: int, session: Session) -> None:
    place = session.timeline.index(found)
    before = session.timeline[place - 1] if place else None
    after = session.timeline[place + 1] if place + 1 < len(session.timeline) else None
    if before is not None and steady < before.steady:
        raise StepRefused(
            f"entry {found.entry.number} follows entry {before.entry.number}, which was {local(before.at)}"
        )
    if after is not None and steady > after.steady:
        raise StepRefused(f"entry {after.entry.number} follows entry {found.entry.number}, and was {local(after.at)}")


def _refuse_wrong_step(step: Step, session: Session) -> None:
    if session.state in STEPS[step].after:
        return
    can = possible(session.state)
    last = session.steps[-1]
    what = "session opened" if last.entry.kind is Kind.OPENED else _done(last)
    raise StepRefused(
        f"{step.value} is not possible: {what} at {local(last.at)} by {last.entry.author}. "
        f"Possible now: {', '.join(can) or 'nothing, it is closed'}",
        can,
    )


def _done(shown: Shown) -> str:
    return STEPS[Step.CLOSE if shown.entry.kind is Kind.CLOSED else Step(shown.content["step"])].done


def _in_scale(scale: str, value: int, known: Known) -> None:
    about = known.settings.all_scales.get(scale)
    # A scale may have left the configuration since the score that is corrected was given.
    if about is not None and not about.lowest <= value <= about.highest:
        raise StepRefused(f"{about.title} goes from {about.lowest} to {about.highest}; {value} is outside")


def _known_bed(bed: str, known: Known) -> None:
    if bed not in known.beds:
        there = tuple(sorted(known.beds))
        raise StepRefused(f"there is no bed {bed!r}; there are: {', '.join(there)}", there)


def _introduced(session: Session) -> str:
    opening_entry = session.timeline[0]
    return f"{session.id}, opened at {local(opening_entry.at)} by {opening_entry.entry.author}"


def _moment(at: int | None, known: Known) -> int:
    if at is None:
        return known.now
    if at > known.now:
        raise StepRefused(f"{local(at)} is in the future: it is {local(known.now)}")
    return at


def _moment_of_step(at: int | None, session: Session, known: Known) -> int:
    """Now, even where the clock was set back since the last step; or a time that was given, if it follows that."""
    last = session.timeline[-1]
    if at is not None and at < (then := session.by_present_clock(last)):
        raise StepRefused(f"entry {last.entry.number} was at {local(then)}: a step cannot be before it")
    return _moment(at, known)


def _overlap(one: Stay, other: Stay) -> bool:
    return (other.until is None or one.since < other.until) and (one.until is None or other.since < one.until)


_RULES: Mapping[type, Callable[[Any, Session, Known], Draft]] = {
    PhaseRequest: _phase,
    CheckRequest: _check,
    NoteRequest: _note,
    ScoreRequest: _score,
    CorrectRequest: _correct,
    MoveRequest: _move,
    AssignRequest: _assign,
    LimitRequest: _limit,
    CloseRequest: _close,
    SignRequest: _sign,
}
"""The rule of each request that is about a session."""
