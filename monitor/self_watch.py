"""What is wrong with the station itself: said above all beds of the page, and told as technical alerts.

Each condition begins at once and ends when it has been over for `SETTLE`, so that one that comes and goes is one alert.
What nobody can know at the moment (a disk that does not answer, a sink before its first look) stays as it was.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from drivers.clock import NS, Clock
from monitor.alerts.conditions import ALARM, AUDIO, AlertEvent, AlertState, Kind, Priority, Why
from monitor.sinks.forwarder import STOPPED, Status
from monitor.storage.commit_queue import Health

log = logging.getLogger(__name__)

NOT_RECORDING, DAMAGED, DISK, CLOCK, UNSEEN = (
    "journal_unwritable",
    "journal_damaged",
    "disk_nearly_full",
    "clock_jumped",
    "unseen_alert",
)
SINK_STOPPED, SINK_BEHIND, NOTIFIER = "sink_stopped", "sink_behind", "notifier_failed"
"""The rules of these alerts; those of a sink and of a notifier have its name after them: `sink_stopped_influxdb`."""

_PRIORITIES = {
    NOT_RECORDING: Priority.HIGH,
    DAMAGED: Priority.HIGH,
    DISK: Priority.MEDIUM,
    UNSEEN: Priority.MEDIUM,
    NOTIFIER: Priority.MEDIUM,  # whoever was to be called away from the page is not
    SINK_STOPPED: Priority.LOW,
    SINK_BEHIND: Priority.LOW,
    CLOCK: Priority.LOW,
}
_BRIEF = (CLOCK, UNSEEN)
"""What its alert alone tells: the station does its work, and there is nothing to be done about it."""

SETTLE = 5.0
"""Seconds that a condition must have been over before its alert ends."""
SINK_BEHIND_AFTER = 600.0
"""Seconds without having had all of the journal after which a sink is behind; it is until it has all of it again."""
LEAST_FREE, MOST_FREE, FREE_PART = 500e6, 5e9, 0.02
"""The disk is nearly full below 2 % of it, but never above 5 GB and always below 500 MB: a busy day of a dozen beds."""
FREE_AGAIN = 1.2
"""It is not any more from so many times that on, lest the journal's own coming and going decide."""
JUMP = 2.0
"""Seconds by which the wall clock must have left the steady one since the last look to count as having been set."""
JUMP_STANDS = 600.0
"""Seconds for which that is told: nothing ends it, and all who look at times of before must know."""
UNSEEN_AFTER = 10.0
"""Seconds after which an alert that no page shows is one that nobody can see."""
ASK_DISK_EVERY = 30.0


class Space(NamedTuple):
    """How much of a disk is left."""

    free: int
    """Bytes that the program may still write."""
    total: int


class DiskWatch:
    """Asks how full the disk of a folder is, in a thread: a disk may take its time to answer, or never do."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self.space: Space | None = None
        """What it last said; None before the first answer, and while it cannot be asked."""

    async def run(self) -> None:
        """Ask every `ASK_DISK_EVERY` seconds until cancelled."""
        failed = False
        while True:
            try:
                usage = await asyncio.to_thread(shutil.disk_usage, self._folder)
            except OSError as error:
                if not failed:
                    log.warning("how full the disk is cannot be told: %s", error)
                self.space, failed = None, True
            else:
                self.space, failed = Space(usage.free, usage.total), False
            await self._clock.sleep(ASK_DISK_EVERY)


class _Wrong(NamedTuple):
    rule: str
    text: str
    """What comes before a colon is enough where there is little room."""
    group: str = ""


@dataclass(slots=True)
class _Standing:
    event: AlertEvent
    text: str
    """Its numbers as they are now, where the event has those of its beginning."""
    over_since: float | None = None
    restored: bool = False
    """Whether it is known from the last run only."""


class SelfWatch:
    """Compares what is wrong now with what was wrong before. Its alerts have no bed: an empty name."""

    def __init__(self, sink_behind_after: float = SINK_BEHIND_AFTER) -> None:
        self._sink_behind_after = sink_behind_after
        self._standing: dict[str, _Standing] = {}
        self._level: dict[str, float] = {}
        self._ahead: float | None = None
        self._jumped: tuple[float, str] | None = None

    def restore(self, events: Sequence[AlertEvent]) -> None:
        """Take what stood at the end of the last run, so that it is not told again, and its end is.

        `events` are the last of each rule (`storage.standing`); those of beds and of what people did are passed over.
        """
        for event in events:
            if not event.bed and event.rule not in (AUDIO, ALARM) and event.state is not AlertState.OFF:
                self._standing[event.rule] = _Standing(event, event.text, restored=True)

    def look(
        self,
        *,
        journal: Health,
        damaged: Sequence[str],
        sinks: Sequence[Status],
        space: Space | None,
        notifiers: Mapping[str, str],
        unseen_for: float,
        now: float,
        at: int,
    ) -> tuple[str, list[AlertEvent]]:
        """The notice for the page (empty when all is well), and the conditions that began (ON) and ended (OFF).

        Args:
            journal: how it is doing
            damaged: names of the journals that were set aside and still lie in the data folder: the alert stands until
                a person has moved them
            sinks: how each is doing
            space: what is left of the journal's disk; None where it is not known
            notifiers: by name why it does not get through; empty text where it does
            unseen_for: seconds for which an alert of a bed, of medium priority or more and not acknowledged, has stood
                with no page open; 0 when there is none. This watch's own `unseen_alert` must not count.
            now: seconds of the clock's `uptime`, which goes on while the machine sleeps, as the wall clock does
            at: the wall clock, UTC nanoseconds
        """
        wrong = [
            *_of_journal(journal, damaged),
            *self._of_disk(space),
            *self._of_sinks(sinks, now),
            *(_Wrong(f"{NOTIFIER}_{name}", f"{name} tells nobody: {why}") for name, why in notifiers.items() if why),
            *self._of_clock(now, at),
        ]
        if unseen_for >= UNSEEN_AFTER:
            wrong.append(_Wrong(UNSEEN, "no page was open to show an alert"))
        changes = [self._begins(it, at) for it in wrong if it.rule not in self._standing]
        for it in wrong:
            standing = self._standing[it.rule]
            standing.text, standing.over_since, standing.restored = it.text, None, False
        changes += self._ended({it.rule for it in wrong} | self._unsure(sinks, space), now, at)
        said = [it.text for rule, it in self._standing.items() if rule not in _BRIEF]
        lost = [f"{journal.dropped_rows} rows are lost"] if journal.dropped_rows else []
        return "; ".join([*said, *lost]), changes

    def _begins(self, wrong: _Wrong, at: int) -> AlertEvent:
        priority = next(priority for rule, priority in _PRIORITIES.items() if wrong.rule.startswith(rule))
        event = AlertEvent("", wrong.rule, Kind.TECHNICAL, priority, AlertState.ON, at, wrong.text)
        event = event._replace(group=wrong.group, why=Why.STATION)
        self._standing[wrong.rule] = _Standing(event, wrong.text)
        return event

    def _ended(self, goes_on: set[str], now: float, at: int) -> list[AlertEvent]:
        ended = []
        for rule, standing in self._standing.items():
            if rule in goes_on:
                continue
            if standing.over_since is None:
                standing.over_since = now
            if now - standing.over_since >= SETTLE:
                why = Why.RESTART if standing.restored else Why.STATION
                event = standing.event._replace(state=AlertState.OFF, at=at, text=standing.text, why=why, actor="")
                ended.append(event)
        for event in ended:
            del self._standing[event.rule]
        return ended

    def _unsure(self, sinks: Sequence[Status], space: Space | None) -> set[str]:
        """What may be as it was: the disk has not answered; a sink has not looked since the last run."""
        rules = {f"{rule}_{sink.name}" for sink in sinks if not sink.newest for rule in (SINK_STOPPED, SINK_BEHIND)}
        unsure = {rule for rule in rules if rule in self._standing and self._standing[rule].restored}
        return unsure if space else unsure | {DISK}

    def _of_disk(self, space: Space | None) -> Iterator[_Wrong]:
        if space is None:
            return
        least = max(LEAST_FREE, min(FREE_PART * space.total, MOST_FREE))
        if space.free < least * (FREE_AGAIN if DISK in self._standing else 1):
            yield _Wrong(DISK, f"DISK NEARLY FULL: {space.free / 1e6:,.0f} MB are left")

    def _of_sinks(self, sinks: Sequence[Status], now: float) -> Iterator[_Wrong]:
        for sink in sinks:
            group = f"sink_{sink.name}"
            if sink.state == STOPPED:
                yield _Wrong(f"{SINK_STOPPED}_{sink.name}", f"{sink.name} takes nothing: {sink.detail}", group)
            if sink.through >= sink.newest:
                self._level[sink.name] = now
                continue
            rule = f"{SINK_BEHIND}_{sink.name}"
            before = self._standing.get(rule)
            # One that has had all meanwhile, and now has something on its way again, is not behind.
            still = before is not None and before.over_since is None
            if still or now - self._level.setdefault(sink.name, now) > self._sink_behind_after:
                why = sink.detail or "it is catching up"
                yield _Wrong(rule, f"{sink.name} has not all of the journal: {why}", group)

    def _of_clock(self, now: float, at: int) -> Iterator[_Wrong]:
        ahead, before = at / NS - now, self._ahead
        self._ahead = ahead
        if before is not None and abs(ahead - before) >= JUMP:
            self._jumped = now, f"the station's clock was set by {ahead - before:+,.1f} s"
        if self._jumped is not None and now - self._jumped[0] < JUMP_STANDS:
            yield _Wrong(CLOCK, self._jumped[1])


def _of_journal(journal: Health, damaged: Sequence[str]) -> Iterator[_Wrong]:
    if journal.error:
        yield _Wrong(NOT_RECORDING, f"NOT RECORDING: {journal.error}; {journal.waiting_rows} rows wait in memory")
    if damaged:
        names = ", ".join(damaged)
        text = f"DAMAGED JOURNAL set aside as {names}: recording goes on in a new one; see infusion-monitor doctor"
        yield _Wrong(DAMAGED, text)
