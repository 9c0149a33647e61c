"""What is in force and what is on disk, and which of them comes first.

What gives somebody something is written first and in force then: what a restart would take back was never given. What
takes something away (a role, an account, a token, a login) is in force at once, however the disk is, and written then;
so are logins, since a full disk must not keep a nurse from an alert. Where that cannot be written it is tried again
until it can, and whoever asked is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import TypeVar

from drivers.clock import Clock
from drivers.errors import AccountRefused
from monitor.accounts import held
from monitor.accounts.held import Change, Held
from monitor.accounts.store import NOBODY, AccountStore

_WRITTEN_WITHIN = 5.0
"""Seconds that a caller waits for the disk."""
_AGAIN_AFTER = 5.0
"""Seconds."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Kept:
    """The accounts of one store."""

    def __init__(self, store: AccountStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self.held = held.held(NOBODY)
        """What is in force."""
        self._on_disk: Held | None = self.held
        """None where that is not known: a writing failed."""
        self._fails = ""
        self._tasks: set[asyncio.Task[object]] = set()
        """What goes on though whoever asked went away."""
        self._again: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def on_disk(self) -> bool:
        """Whether all that is in force is there."""
        return self.held is self._on_disk

    async def load(self) -> None:
        """Have in force what the file says. Raises AccountsUnusable."""
        self.held = self._on_disk = held.held(await asyncio.to_thread(self._store.read))

    async def close(self) -> bool:
        """End; what the disk refused so far is tried once more. Whether all is on disk."""
        self._closing = True
        if self._again is not None:
            self._again.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._again
        saved = await self._saved_soon()
        if not saved:
            _log.error("%s was not written to the end: what was taken away since is back", self._store.path)
        return saved

    async def give(self, change: Change, then: Callable[[], None]) -> None:
        """Write a change, have it in force, and call `then`. Raises AccountRefused, and nothing is changed."""
        await self._to_its_end(self._give(change, then))

    async def take(self, change: Change, then: Callable[[], None]) -> bool:
        """Have a change in force at once, call `then`, and write it; whether it is on disk. Raises AccountRefused."""
        self.held = change(self.held)
        then()
        return await self._saved_soon()

    async def _give(self, change: Change, then: Callable[[], None]) -> None:
        async with self._one_at_a_time:
            after = change(self.held)
            before = self.held
            try:
                await self._write(after)
            except OSError as error:
                raise AccountRefused(
                    f"nothing was changed: {self._store.path} cannot be written: {error.strerror}"
                ) from error
            # What was taken meanwhile stays taken, and its own writing comes next.
            self.held = after if self.held is before else change(self.held)
            then()

    async def _saved_soon(self) -> bool:
        try:
            # Of the wall: a clock in a test's hand must not decide about a disk.
            return await asyncio.wait_for(self._to_its_end(self._saved()), _WRITTEN_WITHIN)
        except TimeoutError:
            return False

    async def _saved(self) -> bool:
        async with self._one_at_a_time:
            if self.held is self._on_disk:
                return True
            try:
                await self._write(self.held)
            except OSError:
                return False
            return True

    async def _save_again(self) -> None:
        saved = False
        while not saved:
            await self._clock.sleep(_AGAIN_AFTER)
            saved = await self._to_its_end(self._saved())

    async def _write(self, what: Held) -> None:
        try:
            await asyncio.to_thread(self._store.write, held.state(what))
        except OSError as error:
            if self._fails != (why := str(error)):
                self._fails = why
                _log.error("%s cannot be written: %s", self._store.path, error)
            self._on_disk = None
            if not self._closing and (self._again is None or self._again.done()):
                self._again = asyncio.create_task(self._save_again())
            raise
        self._on_disk = what
        if self._fails:
            self._fails = ""
            _log.warning("%s is written again", self._store.path)

    async def _to_its_end(self, work: Coroutine[object, object, _T]) -> _T:
        """Whoever asked may go away: a file that is half written in a thread must not meet the next one."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)
