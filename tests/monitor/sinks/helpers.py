"""What the tests of the forwarder stand on: a journal and a sink in memory, and time in the hand."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import weakref
from collections import deque
from collections.abc import AsyncIterator

from drivers.clock import NS, ManualClock
from monitor.sinks.forwarder import FORWARDING, Forwarder
from monitor.sinks.sink import Sent
from monitor.storage import backlog
from monitor.storage.backlog import DeadLetter, Portion, SinkRow

AT = 1_790_000_000 * NS
"""When the tests' readings begin, UTC nanoseconds."""


def in_order(rows) -> list[backlog.Place]:
    """The places of rows of a journal of which no two are of one series and time."""
    return [backlog.Place(row, 0) for row, _ in enumerate(rows, start=1)]


class Clock(ManualClock):
    """Notes for how long somebody wanted to sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await super().sleep(seconds)


class List(list):
    """A list that can be referred to weakly."""


class Store:
    """A journal and its backlog in memory; a commit is a list of readings."""

    def __init__(self, commits: int = 0) -> None:
        self.commits: list[list] = []
        self.at_once = 3
        """Commits in a portion."""
        self.row: SinkRow | None = None
        self.file = 17
        self.rows: list[SinkRow] = []
        self.letters: list[DeadLetter] = []
        self.written: list[str] = []
        """What was recorded, in order."""
        self.resent: list[int] = []
        self.fails: deque[Exception] = deque()
        self.open = 0
        self.portions: list[weakref.ref] = []
        self.add(commits)

    def add(self, commits: int) -> None:
        for _ in range(commits):
            number = len(self.commits) + 1
            self.commits.append([("chair1", "oximeter", "spo2", float(number), 0, "", AT + number)])

    def backlog(self) -> Store:
        if self.fails and str(self.fails[0]) == "cannot be opened":
            raise self.fails.popleft()
        self.open += 1
        return self

    def close(self) -> None:
        self.open -= 1

    def sink(self, name: str) -> SinkRow:
        return self.row or SinkRow(name, 0, FORWARDING, "", 0, 0)

    def next(self, through: int) -> Portion:
        assert self.open == 1
        if self.fails:
            raise self.fails.popleft()
        assert not any(portion() for portion in self.portions), "a portion is still in memory"
        newest = len(self.commits)
        last = min(through + self.at_once, newest)
        readings = List(reading for commit in self.commits[through:last] for reading in commit)
        self.portions.append(weakref.ref(readings))
        return Portion(last, newest, readings, [], [], [])

    def dead_letters(self, sink: str, limit: int = 1_000) -> list[DeadLetter]:
        return [letter for letter in self.letters if letter.id not in self.resent][:limit]

    def record_sink(self, row: SinkRow, file: int) -> None:
        assert file == self.file
        self.row = row
        self.rows.append(row)
        self.written.append(f"through {row.through}")

    def record_dead_letters(self, sink: str, refused, at: int) -> None:
        for line, reason in refused:
            self.letters.append(DeadLetter(len(self.letters) + 1, at, line, reason))
            self.written.append(f"dead {line}")

    def record_resent(self, ids, at: int, file: int) -> None:
        assert file == self.file
        self.resent += ids


class Place:
    """A sink in memory. `answers` are for the next calls, one each: an error, or what it refuses."""

    name = "place"

    def __init__(self) -> None:
        self.answers: deque[Exception | Sent] = deque()
        self.always: Exception | None = None
        self.readings: list[float] = []
        self.lines: list[str] = []
        self.bad: set[str] = set()
        self.calls = 0
        self.closed = 0

    def _answer(self) -> Sent:
        self.calls += 1
        answer = self.answers.popleft() if self.answers else self.always or Sent([], 0)
        if isinstance(answer, Exception):
            # One that was raised before holds on to what was in memory then.
            raise copy.copy(answer)
        return answer

    async def send(self, portion: Portion) -> Sent:
        sent = self._answer()
        self.readings += [reading[3] for reading in portion.readings]
        return sent

    async def send_lines(self, lines) -> Sent:
        sent = self._answer()
        lines = list(lines)
        self.lines += [line for line in lines if line not in self.bad]
        return Sent([(line, "bad") for line in lines if line in self.bad], sent.too_old)

    async def close(self) -> None:
        self.closed += 1


@contextlib.asynccontextmanager
async def running(store: Store, place: Place, clock: Clock, **options) -> AsyncIterator[Forwarder]:
    forwarder = Forwarder(place, store.backlog, store, clock, **options)
    task = asyncio.create_task(forwarder.run())
    await clock.advance(0)
    try:
        yield forwarder
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
