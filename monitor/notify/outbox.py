"""The queue of a notifier: in order, bounded, and tried again until somebody has taken it or it is too old.

It is in memory: what was not yet taken when the station ends is not told. The journal has every event all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import uuid
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Sequence
from enum import Enum
from typing import NamedTuple

from drivers.backoff import grown
from drivers.clock import Clock
from monitor.alerts.conditions import URGENCY, AlertEvent, Kind, Priority

READY, WAITING, REFUSED = "ready", "waiting", "refused"

FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0
"""Seconds: the delay before another attempt doubles from the one to the other, and is shortened at random by up to half
of it."""
LONGEST_ASKED = 900.0
"""Seconds: no receiver has the station wait longer than that."""
MOST_WAITING = 1_000
"""Events that wait; beyond them the oldest go."""
FAILING = 10.0
"""Seconds for which nothing is taken before that is a failure: most are over sooner."""

_log = logging.getLogger(__name__)


class Verdict(Enum):
    """What became of an attempt."""

    TAKEN = "taken"
    AGAIN = "again"
    REFUSED = "refused"
    """For good: trying again cannot help."""


class Outcome(NamedTuple):
    """What became of an attempt, and why."""

    verdict: Verdict
    detail: str = ""
    """For people; never a secret."""
    after: float | None = None
    """Seconds that the receiver asks for before the next attempt."""


class Item(NamedTuple):
    """An event that is to be told."""

    id: str
    """The same at each attempt, so that the receiver can tell."""
    event: AlertEvent
    given: float
    """Monotonic seconds."""


class Outbox(ABC):
    """Tells one receiver; a subclass says how.

    `label` is what people call it, `least` the priority from which on events are told, `kept` the seconds after which
    an event is too old to be told.
    """

    at_once = 1
    """How many events one attempt may tell."""

    def __init__(self, name: str, label: str, clock: Clock, least: Priority, kept: float) -> None:
        self.name = name
        self.state = READY
        """`ready`, `waiting` for a receiver that takes nothing, or `refused` by it."""
        self.detail = ""
        """Why it waits or was refused, for people; never a secret."""
        self.taken = 0
        self.refused = 0
        self.lost = 0
        """Events that grew too old, or that newer ones pushed out."""
        self._label = label
        self._clock = clock
        self._least = least
        self._kept = kept
        self._waiting: deque[Item] = deque()
        self._given = asyncio.Event()
        self._failures = 0
        self._failing_since: float | None = None
        self._missing = False

    @property
    def health(self) -> str:
        """Why nobody is told this way; empty while somebody is, and for the first `FAILING` seconds of a failure.

        An event that was not told stays a failure until another one is.
        """
        since = self._failing_since
        if self._missing or (since is not None and self._clock.monotonic() - since >= FAILING):
            return f"{self._label}: {self.detail}"
        return ""

    def notify(self, events: Sequence[AlertEvent]) -> None:
        """See `Notifier.notify`."""
        now = self._clock.monotonic()
        for event in events:
            if not self.wants(event):
                continue
            if len(self._waiting) == MOST_WAITING:
                self._waiting.popleft()
                self._lose(1, f"more than {MOST_WAITING} events wait")
            self._waiting.append(Item(uuid.uuid4().hex, event, now))
            self._given.set()

    def wants(self, event: AlertEvent) -> bool:
        """Whether this receiver is told of it."""
        # What people did to the signals has no priority of its own.
        priority = Priority.LOW if event.kind is Kind.OTHER else event.priority
        return URGENCY[priority] >= URGENCY[self._least]

    async def run(self) -> None:
        """Tell until cancelled; see `Notifier.run`."""
        while True:
            try:
                async with self._opened():
                    await self._forward()
            except Exception as error:  # noqa: BLE001 - whatever it is, the station records on and this tries on
                self._failed(_unexpected(error))
            await self._clock.sleep(LONGEST_DELAY)

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        """What has to be open to tell anything."""
        yield

    @abstractmethod
    async def _send(self, items: Sequence[Item]) -> Outcome:
        """Try once to tell these."""

    async def _forward(self) -> None:
        while True:
            while not self._waiting:
                self._given.clear()
                await self._given.wait()
            count = min(self.at_once, len(self._waiting))
            await self._deliver([self._waiting.popleft() for _ in range(count)])

    async def _deliver(self, items: list[Item]) -> None:
        """Try until these are taken or refused, or all are too old."""
        while items := self._not_too_old(items):
            outcome = await self._outcome(items)
            if outcome.verdict is Verdict.TAKEN:
                self._succeeded(len(items))
                return
            if outcome.verdict is Verdict.REFUSED:
                self._refuse(len(items), outcome.detail)
                return
            self._failed(outcome.detail)
            await self._clock.sleep(self._delay(outcome.after))

    def _not_too_old(self, items: list[Item]) -> list[Item]:
        now = self._clock.monotonic()
        young = [item for item in items if now - item.given < self._kept]
        if len(young) < len(items):
            self._lose(len(items) - len(young), self.detail or "events grew too old")
        return young

    async def _outcome(self, items: Sequence[Item]) -> Outcome:
        try:
            return await self._send(items)
        except Exception as error:  # noqa: BLE001 - see `run`
            return Outcome(Verdict.AGAIN, _unexpected(error))

    def _succeeded(self, count: int) -> None:
        if self.state != READY:
            _log.warning("%s: told again; %d refused and %d lost so far", self._label, self.refused, self.lost)
        self.taken += count
        self.state, self.detail = READY, ""
        self._failures, self._failing_since, self._missing = 0, None, False

    def _failed(self, detail: str) -> None:
        if self._failing_since is None:
            self._failing_since = self._clock.monotonic()
        self._say(WAITING, detail)

    def _refuse(self, count: int, detail: str) -> None:
        self.refused += count
        self._failures, self._failing_since, self._missing = 0, None, True
        self._say(REFUSED, detail)

    def _lose(self, count: int, detail: str) -> None:
        self.lost += count
        self._missing = True
        self._say(WAITING, detail)

    def _say(self, state: str, detail: str) -> None:
        if (state, detail) != (self.state, self.detail):
            level = logging.ERROR if state == REFUSED else logging.WARNING
            _log.log(level, "%s: %s: %s", self._label, "refused" if state == REFUSED else "not told", detail)
        self.state, self.detail = state, detail

    def _delay(self, asked: float | None) -> float:
        longest = grown(FIRST_DELAY, LONGEST_DELAY, self._failures)
        self._failures += 1
        delay = random.uniform(longest / 2, longest)  # noqa: S311 - it spreads attempts, it hides nothing
        return max(delay, min(asked or 0.0, LONGEST_ASKED))


def _unexpected(error: Exception) -> str:
    # Not its text, which may have an address or a key in it.
    return f"unexpected error: {type(error).__name__}"
