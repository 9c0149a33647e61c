"""What becomes of a recording that is imported: a session that is opened for it, and closed when all of it is there.

Each step is a request of its own with a number that is computed from the file and from where it goes. So an import that
was interrupted is finished by the same command, each of its steps is done once, and until its last one the session is
open: what is half there never looks complete.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from drivers.clock import NS, iso
from drivers.errors import BadCapture, ConfigError, StepRefused
from drivers.recordings.recording import Recording, Series
from monitor.config_base import Name
from monitor.sessions import rules
from monitor.sessions.entries import Entry, Kind
from monitor.sessions.requests import Reference
from monitor.sessions.session import Session
from monitor.sessions.text import local

_MOST_AT_ONE_TIME = 100
"""Different values that a journal can have of one vital at one time."""
_NONE = -1e300
_US = 1000
"""Nanoseconds in a microsecond: the finest that a request can say."""
_LATEST = 2**62
ELSEWHERE = "import it to another --bed, or say when it began, --start T"


@dataclass(frozen=True)
class Import:
    """A recording, and where it goes."""

    recording: Recording
    """At its final times."""
    times: str
    """Where they are from, for people."""
    file: str
    """Its name, without its folders."""
    sha256: str
    bed: str
    device: str
    reference: str
    by: str
    key: str
    """The same for every attempt to import this file there."""

    @property
    def since(self) -> int:
        """UTC nanoseconds, a whole number of microseconds: of the first that belongs to it."""
        return self.recording.at(self.recording.began) // _US * _US

    @property
    def until(self) -> int:
        """The same, behind the last that belongs to it."""
        return (self.recording.at(self.recording.ended) // _US + 1) * _US

    def opening(self) -> dict[str, Any]:
        """The request that opens the session."""
        return self._request("open") | {"reference": self.reference, "at": iso(self.since)}

    def assigning(self, session: str) -> dict[str, Any]:
        """The request that makes the stretch of the bed a part of it."""
        span = {"since": iso(self.since), "until": iso(self.until)}
        return self._request("assign") | {"session": session, "bed": self.bed, **span}

    def noting(self, session: str) -> dict[str, Any]:
        """The request that says what it is."""
        left = f"; not read: {', '.join(self.recording.ignored)}" if self.recording.ignored else ""
        text = f"imported from {self.file} (SHA-256 {self.sha256}) as {self.device} on {self.bed}; {self.times}{left}"
        cut = text if len(text) <= 2000 else f"{text[:1997]}..."
        return self._request("note") | {"session": session, "text": cut, "at": iso(self.since)}

    def closing(self, session: str) -> dict[str, Any]:
        """The request that says that all of it is there."""
        reason = f"imported from {self.file}"
        return self._request("close") | {"session": session, "reason": reason, "at": iso(self.until)}

    def _request(self, verb: str) -> dict[str, Any]:
        return {"verb": verb, "by": self.by, "request": request_of(self.key, verb)}


def key_of(sha256: str, bed: str, device: str, start: int | None) -> str:
    """What tells one import from all others."""
    return hashlib.sha256("\0".join(("import", sha256, bed, device, str(start))).encode()).hexdigest()


def request_of(key: str, verb: str) -> str:
    """The number of the request of that import."""
    return hashlib.sha256(f"{key}\0{verb}".encode()).hexdigest()[:32]


def reference_of(name: str) -> str:
    """A reference made of a file's name."""
    fit = re.sub(r"[^A-Za-z0-9._-]+", "-", name).lstrip("._-")[:32].rstrip("._-")
    return fit or "recording"


def check_names(bed: str, device: str, reference: str) -> None:
    """Raise ConfigError with all of these that cannot be names."""
    faults = []
    for option, value, form, told in (
        ("--bed", bed, TypeAdapter(Name), "lower-case letters, digits, - and _, 32 at most"),
        ("--device", device, TypeAdapter(Name), "lower-case letters, digits, - and _, 32 at most"),
        ("--reference", reference, TypeAdapter(Reference), "a pseudonym of letters, digits, . _ and -, 32 at most"),
    ):
        try:
            form.validate_python(value)
        except ValidationError:
            faults.append(f"{option} {value}: expected {told}")
    if faults:
        raise ConfigError(faults)


def placed(recording: Recording, start: int | None, begun: int | None, now: int) -> tuple[Recording, str]:
    """The recording at its final times, and where these are from.

    `start` is what was asked for, `begun` where an earlier attempt has put it; UTC nanoseconds.
    """
    began = recording.at(recording.began)
    if start is not None:
        return recording.shifted(start - began), "its beginning as it was given"
    if recording.origin:
        return recording, "times of the file"
    if begun is None:
        begun = (now - round((recording.ended - recording.began) * NS)) // (_US * _US) * _US * _US
    return recording.shifted(begun - began), "the file has no date: it ends when it was imported"


def check_times(name: str, recording: Recording, now: int) -> None:
    """Raise StepRefused where the recording is not of the past, or of before 1970."""
    since, until = recording.at(recording.began), recording.at(recording.ended)
    if not 0 <= since <= until < _LATEST:
        raise StepRefused(f"{name}: its times are none that a journal can hold: give its beginning, --start T")
    if until > now:
        raise StepRefused(
            f"{name}: is of {local(since)} to {local(until)}, and it is {local(now)}: give its beginning, --start T"
        )


def check_values(name: str, recording: Recording) -> None:
    """Raise BadCapture where the journal could not hold all of them."""
    for vital, series in recording.series.items():
        at, counts = np.unique(_distinct(series)["at"], return_counts=True)
        if len(counts) and counts.max() > _MOST_AT_ONE_TIME:
            when = int(at[counts.argmax()])
            raise BadCapture(f"{name}: has {counts.max()} different values of {vital} at {local(when)}")


def distinct(series: Series) -> int:
    """How many readings it has without those that are there twice: so many has the journal."""
    return len(_distinct(series))


def refuse_overlap(wanted: Import, others: Iterable[Session]) -> None:
    """Raise StepRefused where that stretch of the bed is another session's already."""
    opening = {"reference": wanted.reference, "planned_minutes": 1, "profile": ""}
    assigned = {"bed": wanted.bed, "since": wanted.since, "until": wanted.until}
    drafts = ((Kind.OPENED, opening), (Kind.ASSIGNED, assigned))
    ours = Session(
        [
            Entry("", number, kind, wanted.since, wanted.since, wanted.by, "", content, "")
            for number, (kind, content) in enumerate(drafts, 1)
        ]
    )
    try:
        rules.refuse_overlap(ours, others)
    except StepRefused as error:
        raise StepRefused(f"{error}; {ELSEWHERE}") from None


def _distinct(series: Series) -> np.ndarray[Any, np.dtype[np.void]]:
    rows = np.zeros(len(series.t), [("at", "<i8"), ("value", "<f8"), ("validity", "<u1"), ("cause", "<i8")])
    rows["at"], rows["validity"], rows["cause"] = series.observed_at, series.validity, series.cause
    # So that none is equal to none.
    rows["value"] = np.nan_to_num(series.value, nan=_NONE)
    return np.unique(rows)
