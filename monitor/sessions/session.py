"""A session as its entries make it: pure, and computed anew from them each time.

Corrections are taken into account everywhere: what a session says is what stands now, and each entry still tells what
was written first. Durations are free of corrections of the station's clock, as far as it saw them (`Kind.CLOCK_SET`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from drivers.clock import NS
from monitor.sessions.entries import Entry, Kind
from monitor.sessions.steps import STEPS, Phase, State, Step

LATE_AFTER = 60
"""Seconds between an event and its entry after which the entry is shown as late."""
TIMELINE = frozenset({Kind.OPENED, Kind.STEP, Kind.MOVED, Kind.CLOSED})
"""What happens one after the other."""


class Stay(NamedTuple):
    """A stretch of recording that belongs to a session: UTC nanoseconds, `until` None while it lasts."""

    bed: str
    since: int
    until: int | None


class Shown(NamedTuple):
    """An entry as it stands now."""

    entry: Entry
    at: int
    steady: int
    """`at` by a clock that nobody set: for differences only."""
    content: Mapping[str, Any]
    void: bool
    corrected_by: tuple[int, ...]
    """Numbers of the entries that correct it."""

    @property
    def late(self) -> int:
        """Seconds between event and entry, where the entry is late, else 0."""
        late = (self.entry.entered_at - self.at) // NS
        return late if late >= LATE_AFTER else 0


class Session:
    """The fold of all the entries of one session, in the order of their numbers, the opening first."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self.id = entries[0].session
        self._shift = sum(_shift(entry) for entry in entries)
        self.shown = tuple(_shown(self.entries))
        standing = [shown for shown in self.shown if not shown.void and shown.entry.kind is not Kind.CORRECTION]
        self.standing = tuple(standing)
        """The entries that are neither void nor corrections."""
        self.timeline = tuple(shown for shown in standing if shown.entry.kind in TIMELINE)
        self.steps = tuple(shown for shown in self.timeline if shown.entry.kind is not Kind.MOVED)
        """The opening and the steps."""
        opening = self.timeline[0]
        self.opened_at = opening.at
        self.reference: str = opening.content["reference"]
        self.planned_minutes: int = opening.content["planned_minutes"]
        self.profile: str = opening.content["profile"]
        self.rules: Mapping[str, Any] = opening.content.get("rules", {})
        """The alert profile as it was at the opening; empty where it was opened before there were profiles."""
        self.state = state_after(self.steps[-1])
        self.closed_at = self.steps[-1].at if self.state is State.CLOSED else None
        self.stays = tuple(_stays(opening, standing))
        self.bed = "" if self.closed_at is not None else _bed(self.timeline)
        """Where the patient is; empty when closed, and for a session without a bed."""

    def stretches(self, until: int) -> Iterator[tuple[str, int, int]]:
        """Bed, beginning and end of what belongs to the session of what was recorded before `until`, each once.

        What was assigned may overlap the session's own stay there.
        """
        read_until: dict[str, int] = {}
        for bed, begins, ends in sorted(self.stays, key=lambda it: it.since):
            first, last = max(begins, read_until.get(bed, begins)), until if ends is None else min(until, ends)
            if first < last:
                read_until[bed] = last
                yield bed, first, last

    @property
    def phase(self) -> Phase:
        """The part of the visit."""
        return self.state.phase

    @property
    def phase_began(self) -> Shown:
        """The step by which the phase began."""
        began = self.steps[-1]
        for shown in reversed(self.steps):
            if state_after(shown).phase is not self.phase:
                break
            began = shown
        return began

    @property
    def phase_began_at(self) -> int:
        """When the phase began, UTC nanoseconds."""
        return self.phase_began.at

    @property
    def limits(self) -> Mapping[str, float]:
        """The limits that were set for this session and are not the profile's again, by rule."""
        # They are entered as they happen: the last entry is the latest, whatever the clock says.
        of_kind = (shown.content for shown in self.standing if shown.entry.kind is Kind.LIMIT)
        said = {content["rule"]: content["limit"] for content in of_kind}
        return {rule: limit for rule, limit in said.items() if limit is not None}

    @property
    def last_bed(self) -> str:
        """The bed, or where the patient was last."""
        return _bed(self.timeline)

    @property
    def last_entered_at(self) -> int:
        """When a person last entered something, by the station's clock as it is set now: UTC nanoseconds."""
        shifts = _shifts(self.entries)
        entered = (it.entered_at - shifts[it.number] for it in self.entries if it.kind is not Kind.CLOCK_SET)
        return max(entered) + self._shift

    @property
    def start(self) -> Shown | None:
        """The first start of the infusion; None before that."""
        return next((shown for shown in self.steps if state_after(shown) is State.RUNNING), None)

    @property
    def started_at(self) -> int | None:
        """When the infusion was first started, UTC nanoseconds; None before that."""
        return None if self.start is None else self.start.at

    def steady(self, now: int) -> int:
        """Now, by a clock that nobody set: as `Shown.steady`."""
        return now - self._shift

    def by_present_clock(self, shown: Shown) -> int:
        """When that was by the station's clock as it is set now: UTC nanoseconds, to compare readings of now with."""
        return shown.steady + self._shift

    def since_start(self, now: int) -> float | None:
        """Seconds since the infusion was first started, with its pauses, until now or the closing."""
        if self.start is None:
            return None
        until = self.steps[-1].steady if self.state is State.CLOSED else self.steady(now)
        return max(0, until - self.start.steady) / NS

    def elapsed(self, now: int) -> float:
        """Seconds for which the infusion has run, without its pauses; `now` is UTC nanoseconds."""
        total = 0
        for shown, after in zip(self.steps, (*self.steps[1:], None), strict=True):
            if state_after(shown) is State.RUNNING:
                until = after.steady if after is not None else self.steady(now)
                total += max(0, until - shown.steady)
        return total / NS

    def overrun(self, now: int) -> float:
        """Seconds by which the infusion has run longer than planned, or 0."""
        return max(0.0, self.elapsed(now) - self.planned_minutes * 60)

    def planned_end(self, now: int) -> int | None:
        """When it will have run, or had run, as long as planned: UTC nanoseconds; None while it does not run."""
        if self.state is not State.RUNNING:
            return None
        return now + round((self.planned_minutes * 60 - self.elapsed(now)) * NS)

    def latest(self, kind: Kind, key: str) -> dict[str, Shown]:
        """Of the standing entries of that kind the latest for each value of `key`: answers by item, scores by scale."""
        # Of two at one time, the one that was entered last.
        of_kind = sorted((it for it in self.standing if it.entry.kind is kind), key=lambda it: it.steady)
        return {shown.content[key]: shown for shown in of_kind}

    @property
    def signatures(self) -> tuple[Shown, ...]:
        """Every signature of its chart, the last one last."""
        return tuple(shown for shown in self.shown if shown.entry.kind is Kind.SIGNED)

    @property
    def signed(self) -> bool:
        """Whether the chart is signed as it stands: nothing was entered since."""
        return self.entries[-1].kind is Kind.SIGNED

    def as_signed(self) -> Session | None:
        """The session as it was when its chart was last signed; None where it never was."""
        signatures = self.signatures
        return Session(self.entries[: signatures[-1].entry.number]) if signatures else None

    def followed_by(self, *entries: Entry) -> Session:
        """The session with more entries."""
        return Session((*self.entries, *entries))


def _shown(entries: Sequence[Entry]) -> Iterator[Shown]:
    corrections: dict[int, list[Entry]] = {}
    for entry in entries:
        if entry.kind is Kind.CORRECTION:
            corrections.setdefault(entry.content["corrects"], []).append(entry)
    shifts = _shifts(entries)
    for entry in entries:
        at, content, void = entry.at, dict(entry.content), False
        mine = corrections.get(entry.number, [])
        for correction in mine:
            changes = {key: value for key, value in correction.content.items() if key not in {"corrects", "reason"}}
            void = void or changes.pop("void", False)
            # The clock of the original goes for its right time too: a correction is a matter of minutes.
            at = changes.pop("at", at)
            content |= changes
        yield Shown(
            entry, at, at - shifts[entry.number], content, void, tuple(correction.number for correction in mine)
        )


def _shifts(entries: Sequence[Entry]) -> dict[int, int]:
    """By how much the clock had been set when an entry was made, nanoseconds, by the entry's number."""
    shifts, shift = {}, 0
    for entry in entries:
        shift += _shift(entry)
        shifts[entry.number] = shift
    return shifts


def _shift(entry: Entry) -> int:
    return round(entry.content["seconds"] * NS) if entry.kind is Kind.CLOCK_SET else 0


def state_after(shown: Shown) -> State:
    """Where a session stands after that entry."""
    if shown.entry.kind is Kind.OPENED:
        return State.CHECK_IN
    step = Step.CLOSE if shown.entry.kind is Kind.CLOSED else Step(shown.content["step"])
    return STEPS[step].to


def _bed(timeline: Sequence[Shown]) -> str:
    moves = [shown for shown in timeline if shown.entry.kind is Kind.MOVED]
    return str(moves[-1].content["to"]) if moves else timeline[0].entry.bed


def _stays(opening: Shown, standing: Sequence[Shown]) -> Iterator[Stay]:
    bed, since = opening.entry.bed, opening.at
    before: list[tuple[int, int | None]] = []
    for shown in standing:
        if shown.entry.kind in {Kind.MOVED, Kind.CLOSED}:
            yield from _united(bed, [*before, (since, shown.at)])
            bed, since, before = str(shown.content.get("to", "")), shown.at, []
        elif (shift := _shift(shown.entry)) < 0:
            # What was recorded until then has the times of the clock before it was set back.
            before.append((since, shown.at - shift))
            since = shown.at
    yield from _united(bed, [*before, (since, None)])
    for shown in standing:
        if shown.entry.kind is Kind.ASSIGNED:
            yield Stay(shown.content["bed"], shown.content["since"], shown.content["until"])


def _united(bed: str, parts: Sequence[tuple[int, int | None]]) -> Iterator[Stay]:
    """One stay, or several where the clock was set back so far that its times lie apart; none without a bed."""
    (since, until), *later = sorted(parts, key=lambda part: part[0])
    for begins, ends in later if bed else ():
        if until is not None and begins > until:
            yield Stay(bed, since, until)
            since, until = begins, ends
        else:
            until = None if until is None or ends is None else max(until, ends)
    if bed:
        yield Stay(bed, since, until)
