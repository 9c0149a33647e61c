"""Charts made for those who ask: a few at a time, beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from fastapi import Query

from drivers.errors import ExportRefused, ExtraMissing, JournalUnusable, SessionUnknown
from monitor.review.chart import Chart, build
from monitor.review.source import JournalSource
from monitor.sessions.session import Session
from monitor.web.errors import Refusal

AT_ONCE = 2
"""Charts that are made at a time, so that there is always a thread for what people enter."""
Version = Annotated[Literal["now", "signed"], Query(description="As it stands, or as it was when it was last signed.")]
_Made = TypeVar("_Made")


class Making:
    """Has what takes a while made in threads."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._files = asyncio.Semaphore(1)

    async def filed(self, make: Callable[[], _Made]) -> _Made:
        """The same of a file, one at a time: however many are asked for, charts and lists have a turn beside them."""
        async with self._files:
            return await self.made(make)

    async def made(self, make: Callable[[], _Made]) -> _Made:
        """What `make` gives. Raises Refusal for what it raises."""
        async with self._turns:
            try:
                return await asyncio.to_thread(make)
            except SessionUnknown as error:
                raise Refusal(404, "not_found", str(error)) from None
            except JournalUnusable as error:
                raise Refusal(503, "unavailable", str(error)) from None
            except ExportRefused as error:
                raise Refusal(409, "refused", str(error)) from None
            except ExtraMissing as error:
                raise Refusal(503, "unavailable", f"not on this station: {error}") from None
            except OSError as error:
                # A file that is too large for the memory waits on the disk.
                raise Refusal(503, "unavailable", f"the station has no room for it: {error.strerror}") from None


def chart_of(data_dir: Path, name: str, version: str, now: int) -> Chart:
    """The chart of a session in the journal. Raises SessionUnknown, also for the signed one of what never was."""
    source = JournalSource(data_dir)
    return build(source, in_version(source.session(name), version), now)


def in_version(session: Session, version: str) -> Session:
    """The session as it stands, or as it was signed. Raises SessionUnknown where it never was."""
    if version == "now":
        return session
    if (signed := session.as_signed()) is None:
        raise SessionUnknown(f"the chart of session {session.id} was never signed")
    return signed
