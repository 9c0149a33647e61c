"""What people ask of a session: one form for each verb of the command line, the page and its API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from uuid import uuid4

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, WithJsonSchema

from monitor.forms import Line, Text
from monitor.sessions.steps import Step

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = 2**62
"""Nanoseconds: in the year 2116."""


def _ns(text: object) -> int:
    if not isinstance(text, str):
        raise ValueError("is no time like 2026-11-25T09:00:00Z")  # noqa: TRY004 - pydantic's way to name a fault
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("has no time zone: write Z at its end for UTC")
    at = (moment - _EPOCH) // timedelta(microseconds=1) * 1000
    if not 0 <= at < _LATEST:
        raise ValueError("is no time that a journal can hold")
    return at


Moment = Annotated[int, BeforeValidator(_ns), WithJsonSchema({"type": "string", "format": "date-time"})]
"""RFC 3339 text with a zone; becomes UTC nanoseconds."""
Reference = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
"""A pseudonym: without blanks, so that nobody writes a patient's full name by habit."""
Minutes = Annotated[int, Field(ge=1, le=720)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    request: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", default_factory=lambda: uuid4().hex)]
    """Sent again, it is answered again, and done once."""
    by: Line
    """Who does it."""


class _Timed(_Request):
    at: Moment | None = None
    """When it happened; now without it."""


class _OfSession(_Timed):
    session: Line
    """A session, or the bed on which it is open."""


class OpenRequest(_Timed):
    """Open a session; without a bed for a recording that is assigned to it afterwards."""

    verb: Literal["open"] = "open"
    bed: Line | None = None
    reference: Reference
    planned_minutes: Minutes | None = None
    profile: Line | None = None
    """The alert profile; the site's own without it."""


class PhaseRequest(_OfSession):
    """Go on to the next step."""

    verb: Literal["phase"] = "phase"
    step: Literal[Step.BASELINE, Step.START, Step.PAUSE, Step.RESUME, Step.STOP, Step.RECOVERY]
    confirm: bool = False
    """To start the infusion though something is open."""
    reason: Line | None = None


class CheckRequest(_OfSession):
    """Answer an item of a checklist, or skip it with a reason."""

    verb: Literal["check"] = "check"
    item: Line
    answer: Line | None = None
    skip: Line | None = None


class NoteRequest(_OfSession):
    """Write a note, a dose or one of the site's events."""

    verb: Literal["note"] = "note"
    text: Text | None = None
    event: Line | None = None
    dose: bool = False


class ScoreRequest(_OfSession):
    """Record a score."""

    verb: Literal["score"] = "score"
    scale: Line
    value: int
    text: Line | None = None


class CorrectRequest(_OfSession):
    """Say what is to stand in place of an earlier entry, or that it is void. `at` is its right time."""

    verb: Literal["correct"] = "correct"
    number: Annotated[int, Field(ge=1)]
    reason: Line
    void: bool = False
    text: Text | None = None
    answer: Line | None = None
    value: int | None = None
    reference: Reference | None = None
    planned_minutes: Minutes | None = None


class MoveRequest(_OfSession):
    """Move the patient to another bed."""

    verb: Literal["move"] = "move"
    bed: Line


class AssignRequest(_Request):
    """Make a recording without a session a part of this one."""

    verb: Literal["assign"] = "assign"
    session: Line
    bed: Line
    since: Moment
    until: Moment


class LimitRequest(_Request):
    """Set the limit of a rule for this session alone, from now on."""

    verb: Literal["limit"] = "limit"
    session: Line
    rule: Line
    limit: Annotated[float, Field(strict=True, allow_inf_nan=False)] | None
    """In the vital's unit; None for the profile's again. It has to be said: what is forgotten must change no limit."""
    reason: Line


class CloseRequest(_OfSession):
    """Close the session."""

    verb: Literal["close"] = "close"
    reason: Line | None = None
    """Needed where criteria of the discharge are open."""


class SignRequest(_Request):
    """Sign the chart of a closed session, as it is through that entry."""

    verb: Literal["sign"] = "sign"
    session: Line
    through: Annotated[int, Field(ge=1)]
    """The number of the last entry that the reviewer has seen: nobody signs what came after."""


Request = (
    OpenRequest
    | PhaseRequest
    | CheckRequest
    | NoteRequest
    | ScoreRequest
    | CorrectRequest
    | MoveRequest
    | AssignRequest
    | LimitRequest
    | CloseRequest
    | SignRequest
)
REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="verb")])
"""Reads any of them from JSON."""
