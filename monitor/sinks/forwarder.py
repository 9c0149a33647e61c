"""Feeds one sink from the journal: what was committed after the cursor, again and again until the sink has it.

The cursor is in the journal and moves when a portion is in the sink. Whatever ends in between (this program, the
machine, the server's answer), the portion is sent again, which changes nothing in the sink. Lines that the sink
refuses are recorded before the cursor, so that none is ever passed over without a trace.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from drivers.backoff import grown
from drivers.clock import Clock
from drivers.errors import JournalUnusable, SinkBusy, SinkRefused
from monitor.sinks.sink import Sent, Sink
from monitor.storage.backlog import Backlog, SinkRow
from monitor.storage.journal import Journal

FORWARDING, WAITING, STOPPED = "forwarding", "waiting", "stopped"
PAUSE = 1.0
"""Seconds between two looks into the journal that has nothing more."""
FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0
"""Seconds: the range of the delay before another attempt doubles from the one to the other."""
LONGEST_RETRY_AFTER = 600.0
"""Seconds that a server may ask for: what it asks in an overload must not outlast the overload for hours."""
REFUSED_DELAY = 60.0
"""Seconds between two attempts while a person is needed: a bucket that was made needs no restart of the station."""
_SAY_AGAIN = 60.0
"""Seconds after which the journal is told again how the sink is doing, though nothing has changed."""
_LETTERS = 1_000

_log = logging.getLogger(__name__)


def resend_file(data_dir: Path, sink: str) -> Path:
    """A file of that name asks a running station to send the dead letters of that sink again."""
    return data_dir / f"resend-dead-letters-{sink}"


class Status(NamedTuple):
    """How a sink is doing at this moment."""

    name: str
    state: str
    detail: str
    """Why it waits or stopped, for people; never a secret."""
    through: int
    """All of the commits up to this one are there."""
    newest: int
    """The last commit of the journal when it was last looked at."""
    too_old: int
    """Lines that the sink refused for their age, in all."""
    refused: int
    """Lines that became dead letters since the start."""


class Forwarder:
    """Feeds `sink` from the backlog that `open_backlog` opens, and keeps account in `journal`.

    `run` reads the journal on its event loop, which nothing else should live on: see `ForwarderThread`. At most one
    portion is in memory. `status` may be read from any thread; when the file `request` appears, it is removed and the
    dead letters are sent again as soon as the sink takes anything.
    """

    def __init__(
        self,
        sink: Sink,
        open_backlog: Callable[[], Backlog],
        journal: Journal,
        clock: Clock,
        *,
        request: Path | None = None,
        jitter: random.Random | None = None,
    ) -> None:
        self._sink = sink
        self._open_backlog = open_backlog
        self._journal = journal
        self._clock = clock
        self._request = request
        self._jitter = jitter or random.Random()  # noqa: S311 - it spreads attempts, it hides nothing
        self._asked = False
        self._backlog: Backlog | None = None
        self._failures = 0
        self._said_at = 0.0
        self._told: set[str] = set()
        # Replaced as a whole and never changed, so that any thread may read it.
        self._status = Status(sink.name, FORWARDING, "", 0, 0, 0, 0)

    @property
    def status(self) -> Status:
        """How it is doing at this moment."""
        return self._status

    async def run(self) -> None:
        """Forward until cancelled."""
        try:
            while True:
                await self._clock.sleep(await self._turn())
        finally:
            self._close_backlog()
            await self._sink.close()

    async def _turn(self) -> float:
        """Forward a portion, and see to what else was asked; gives the seconds until the next turn."""
        try:
            more = await self._forward()
            await self._resend_if_asked()
        except SinkBusy as error:
            return self._failed(WAITING, str(error), self._delay(error.retry_after))
        except SinkRefused as error:
            return self._failed(STOPPED, str(error), REFUSED_DELAY)
        except JournalUnusable as error:
            # The file may have been set aside: what stands there next time is asked anew how far the sink is.
            # Nothing is recorded before, or the cursor of the old file would stand in the new one.
            self._close_backlog()
            return self._failed(WAITING, str(error), self._delay(), say=False)
        except Exception as error:  # noqa: BLE001 - whatever it is, the readings are kept and it tries on
            if "unexpected" not in self._told:
                _log.exception("%s: unexpected error of the forwarder", self._sink.name)
            self._told.add("unexpected")
            return self._failed(WAITING, f"unexpected error: {type(error).__name__}: {error}", self._delay())
        self._failures = 0
        self._told.discard("unexpected")
        if self._status.state != FORWARDING:
            _log.warning("%s: the journal is forwarded again", self._sink.name)
            self._status = self._status._replace(state=FORWARDING, detail="")
            self._say()
        elif self._clock.monotonic() - self._said_at >= _SAY_AGAIN:
            self._say()
        return 0.0 if more else PAUSE

    async def _forward(self) -> bool:
        """Send the next portion; whether there is more."""
        backlog = self._opened()
        portion = backlog.next(self._status.through)
        self._status = self._status._replace(newest=portion.newest)
        if not portion.empty:
            sent = await self._sink.send(portion)
            self._keep_account(sent)
        self._status = self._status._replace(through=portion.through)
        if not portion.empty:
            self._say()
        return portion.through < portion.newest

    def _opened(self) -> Backlog:
        if self._backlog is None:
            backlog = self._open_backlog()
            try:
                row = backlog.sink(self._sink.name)
            except JournalUnusable:
                backlog.close()
                raise
            self._backlog = backlog
            self._status = self._status._replace(through=row.through, too_old=row.too_old)
        return self._backlog

    def _close_backlog(self) -> None:
        backlog, self._backlog = self._backlog, None
        if backlog is not None:
            backlog.close()

    def _keep_account(self, sent: Sent) -> None:
        name = self._sink.name
        if sent.refused:
            self._journal.record_dead_letters(name, sent.refused, self._clock.now_ns())
            self._tell_once(
                "refused", f"{name}: it refuses lines: `infusion-monitor doctor` shows them with the reason"
            )
        if sent.too_old:
            self._tell_once("too_old", f"{name}: it drops lines that are older than what it keeps")
        was = self._status
        self._status = was._replace(too_old=was.too_old + sent.too_old, refused=was.refused + len(sent.refused))

    async def _resend_if_asked(self) -> None:
        self._asked = self._asked_by_file() or self._asked
        if not self._asked:
            return
        # Where it fails the request stands, and is seen to when the sink takes anything again.
        taken, left = await self._resend()
        self._asked = False
        _log.info("%s: of the dead letters %d were taken and %d refused again", self._sink.name, taken, left)

    async def _resend(self) -> tuple[int, int]:
        """Send all that wait, the oldest first; how many were taken, and how many refused again.

        One that is too old by now counts as taken: the sink will never have it.
        """
        backlog = self._opened()
        seen = last = taken_in_all = 0
        # Those that were taken are still read until the journal has committed it, those refused again for ever.
        while letters := [it for it in backlog.dead_letters(self._sink.name, seen + _LETTERS) if it.id > last]:
            sent = await self._sink.send_lines([letter.line for letter in letters])
            refused = {line for line, _ in sent.refused}
            taken = [letter.id for letter in letters if letter.line not in refused]
            if taken:
                self._journal.record_resent(taken, self._clock.now_ns(), backlog.file)
            was = self._status
            self._status = was._replace(too_old=was.too_old + sent.too_old)
            taken_in_all += len(taken)
            seen += len(letters)
            last = letters[-1].id
        return taken_in_all, seen - taken_in_all

    def _asked_by_file(self) -> bool:
        if self._request is None:
            return False
        try:
            self._request.unlink()
        except OSError:
            # It is not there, or cannot be removed; left there, it would ask again every second.
            return False
        return True

    def _failed(self, state: str, detail: str, delay: float, *, say: bool = True) -> float:
        self._failures += 1
        was = self._status
        self._status = was._replace(state=state, detail=detail)
        if state != was.state:
            level = logging.ERROR if state == STOPPED else logging.WARNING
            _log.log(level, "%s: not forwarded, readings are kept in the journal: %s", self._sink.name, detail)
        again = self._clock.monotonic() - self._said_at >= _SAY_AGAIN
        if say and (again or (state, detail) != (was.state, was.detail)):
            self._say()
        return delay

    def _delay(self, retry_after: float | None = None) -> float:
        """Seconds to wait: at random, so that the stations that a server has turned away do not come back at once."""
        longest = grown(FIRST_DELAY, LONGEST_DELAY, self._failures)
        return min(retry_after or 0.0, LONGEST_RETRY_AFTER) + self._jitter.uniform(0, longest)

    def _say(self) -> None:
        if self._backlog is None:
            return
        was = self._status
        self._said_at = self._clock.monotonic()
        row = SinkRow(was.name, was.through, was.state, was.detail, self._clock.now_ns(), was.too_old)
        self._journal.record_sink(row, self._backlog.file)

    def _tell_once(self, what: str, text: str) -> None:
        if what not in self._told:
            _log.warning("%s", text)
        self._told.add(what)
