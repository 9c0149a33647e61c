"""A forwarder in a thread of its own, so that nothing of it is on the station's loop: reading, packing, the client."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading

from monitor.sinks.forwarder import Forwarder

AFTER_FAILURE = 5.0
"""Seconds before a forwarder that failed is started again."""

_log = logging.getLogger(__name__)


class ForwarderThread:
    """Runs `forwarder` on its own event loop from `start` to `stop`, and starts it again when it fails."""

    def __init__(self, forwarder: Forwarder, *, after_failure: float = AFTER_FAILURE) -> None:
        self.forwarder = forwarder
        self._after_failure = after_failure
        self._stopping = threading.Event()
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[None]] | None = None
        # A daemon, so that a program that dies without `stop` does die, and one that hangs here ends all the same.
        self._thread = threading.Thread(target=self._work, name=f"forward {forwarder.status.name}", daemon=True)

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def stop(self, timeout: float = 3.0) -> bool:
        """End it, in the middle of a post if need be: what was not sent is in the journal. May be called twice.

        Blocks, for `timeout` seconds at most, so not for the station's loop; whether it has ended.
        """
        self._stopping.set()
        if running := self._running:
            loop, task = running
            # The loop may have come to its end by itself.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(task.cancel)
        if self._thread.ident is not None:
            self._thread.join(timeout)
        if self._thread.is_alive():
            _log.warning("%s: the forwarder does not end, and is left", self._thread.name)
            return False
        return True

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                asyncio.run(self._run())
            except Exception:  # noqa: BLE001 - whatever it is, forwarding must go on
                _log.exception("%s: unexpected error", self._thread.name)
            self._stopping.wait(self._after_failure)

    async def _run(self) -> None:
        task = asyncio.create_task(self.forwarder.run())
        self._running = asyncio.get_running_loop(), task
        # `stop` sets the flag first and looks for the task then; here it is the other way round, so that one sees it.
        if self._stopping.is_set():
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
