"""What a session is made of: entries, each written once and never changed.

A session is the fold of its entries (`session.Session`); nothing else of it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple


class Kind(StrEnum):
    """What an entry is, and what its content has."""

    OPENED = "opened"
    """`reference`, `planned_minutes`, `profile`: the alert profile's name, and `rules`: its rules as they were then, in
    the form of its file; there are none in entries that are older than profiles."""
    STEP = "step"
    """`step`; where it had to be confirmed, `confirmed`: what was open then, and `reason`."""
    CHECK = "check"
    """`item`, `title`, and `answer` or `skipped`: the reason."""
    NOTE = "note"
    """`text`."""
    EVENT = "event"
    """`event`, `title`, `text`."""
    DOSE = "dose"
    """`text`: a dose or rate as a person wrote it. It is recorded, and nothing ever acts on it."""
    SCORE = "score"
    """`scale`, `title`, `version` of the scale, `value`, `text`."""
    CORRECTION = "correction"
    """`corrects`: the number of the entry, `reason`, and what is to stand instead; or `void`: true."""
    MOVED = "moved"
    """`from` and `to`: beds."""
    ASSIGNED = "assigned"
    """`bed`, `since`, `until` (UTC nanoseconds): a recording that was made without a session."""
    LIMIT = "limit"
    """`rule` of the session's profile, `limit`: the number that is in force for this session, or None: the profile's
    again; `reason`."""
    CLOSED = "closed"
    """`criteria` of the discharge as they stood, and `reason` where some were open."""
    SIGNED = "signed"
    """`through`: the number of the last entry that was signed. The journal's chain binds all that was there then."""
    CLOCK_SET = "clock_set"
    """`seconds` by which the station's clock was set forward, or back: written by the station."""


class Entry(NamedTuple):
    """One entry of one session."""

    session: str
    number: int
    """Within the session, from 1."""
    kind: Kind
    at: int
    """When it happened, UTC nanoseconds."""
    entered_at: int
    """When it was entered, UTC nanoseconds."""
    author: str
    bed: str
    """Where the session was then; empty where it had no bed."""
    content: Mapping[str, Any]
    """As JSON can hold it; see `Kind`."""
    request: str
    """Who sends the same request twice gets one entry: unique in a journal."""
