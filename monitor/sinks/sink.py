"""What every sink is: a place that takes portions of the journal, again and again if need be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from monitor.storage.backlog import Portion


class Sent(NamedTuple):
    """What became of lines: all of them are in the sink, except these."""

    refused: list[tuple[str, str]]
    """Lines that the sink refuses for what they are, each with the reason. More than it refused may be in here."""
    too_old: int
    """Lines that it dropped because it keeps nothing of that time."""


class Sink(Protocol):
    """A place that the journal is forwarded to. To send something again changes nothing there.

    Raises SinkBusy for what may pass by itself, SinkRefused where a person is needed: in both cases any part of what
    was to be sent may be in the sink, and all of it has to be sent again.
    """

    name: str
    """Its name in the journal."""

    async def send(self, portion: Portion) -> Sent:
        """Send all of the portion."""

    async def send_lines(self, lines: Iterable[str]) -> Sent:
        """Send lines as they were refused before."""

    async def close(self) -> None:
        """Give back what is held; the next call opens it anew."""
