"""How a command brings a recording into the journal: as `desk_client` does with requests, portion after portion.

What was brought may be brought again, so that whatever ends in between, the same command goes on with it.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from drivers.errors import ConfigError, JournalUnusable, StationRunning, StationSilent, StepRefused
from monitor.cli.desk_client import BETWEEN, PATIENCE, DeskClient, NoAnswer
from monitor.sessions.portions import ROUTE, Portion
from monitor.storage.journal import Journal

_TOGETHER = 8
"""Portions that are written in one go: so long the command holds the data folder where no station runs."""
_AT_A_TIME = 4
"""Portions that are on their way to a station, each until it is on disk there."""


class ImportClient(DeskClient):
    """The desk of `data_dir`, and its journal."""

    def bring(self, portions: Iterator[Portion], brought: Callable[[Portion], None]) -> None:
        """Have all of them on disk; `brought` is called with each that is.

        Raises StepRefused where the session does not take them, StationSilent where nobody knows whether all are
        there, JournalUnusable, and ConfigError.
        """
        while several := list(itertools.islice(portions, _TOGETHER)):
            self._bring(several)
            for portion in several:
                brought(portion)

    def _bring(self, several: Sequence[Portion]) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if self.station_runs():
                    self._send(several, deadline)
                else:
                    asyncio.run(self._write(several))
            except StationRunning:
                why = "another command, or a station that starts, holds the data folder"
            except NoAnswer as error:
                why = str(error)
            else:
                return
            if time.monotonic() + BETWEEN > deadline:
                raise StationSilent(f"not all of it is known to be there ({why}); the same command goes on with it")
            time.sleep(BETWEEN)

    def _send(self, several: Sequence[Portion], deadline: float) -> None:
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            list(pool.map(lambda portion: self._send_one(portion, deadline), several))

    def _send_one(self, portion: Portion, deadline: float) -> None:
        body = portion.model_dump_json().encode()
        self.answer(ROUTE, body, deadline - time.monotonic(), _understood)

    async def _write(self, several: Sequence[Portion]) -> None:
        journal = Journal(self.data_dir, commit_every=0.0, command=True)
        journal.open()
        on_disk: list[Portion] = []
        try:
            for portion in several:
                journal.record(portion.bed, portion.device, portion.events(), partial(on_disk.append, portion))
        finally:
            # It makes one last attempt where the disk refuses.
            await journal.close()
        # What is acknowledged is told in the next turns of the loop.
        for _ in range(3):
            await asyncio.sleep(0)
        if len(on_disk) < len(several):
            raise JournalUnusable(
                f"not all of it was recorded, the journal in {self.data_dir} cannot be written "
                f"({journal.health.error}); the same command goes on with it"
            )


def _understood(status: int, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer, or the error that it is; NoAnswer where the portion waits for the disk. Raises KeyError for none."""
    if status in {200, 202}:
        if answer["recorded"] is not True:
            raise NoAnswer("the station's journal cannot be written")
        return answer
    if answer["error"] == "refused":
        raise StepRefused(answer["text"])
    raise ConfigError([answer["text"]])
