"""What the routes need of the station."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from drivers.clock import Clock, SystemClock
from drivers.events import Event
from monitor.accounts.accounts import Accounts
from monitor.alerts.board import AlertBoard
from monitor.buffer import Rings
from monitor.config import StationConfig
from monitor.live import LiveHub
from monitor.sessions.desk import Desk
from monitor.sinks.forwarder import Status
from monitor.storage.commit_queue import Commits, Health
from monitor.web.settings import WebConfig

Committed = Callable[[float], Awaitable[bool]]
"""Waits, so many seconds at most, until all that was recorded is on disk; gives whether it is."""
RecordAudit = Callable[..., None]
"""`Journal.record_audit`."""
Record = Callable[[str, str, Sequence[Event]], None]
"""`Journal.record`."""


async def _at_once(_within: float) -> bool:
    return True


def _nowhere(_actor: str, _action: str, _detail: str, *, origin: str = "", old: str = "", new: str = "") -> None:
    pass


def _not_kept(_bed: str, _device: str, _events: Sequence[Event]) -> None:
    pass


class Recording(NamedTuple):
    """What the station records, and where it goes."""

    config: StationConfig
    data_dir: Path
    """With the journal."""
    rings: Rings
    """What is in memory of it."""
    health: Callable[[], Health]
    """Of the journal; so are these:"""
    commits: Callable[[], Commits]
    sinks: Callable[[], Sequence[Status]] = tuple


@dataclass(frozen=True)
class Parts:
    """The station behind the page. What is None is not served."""

    hub: LiveHub
    desk: Desk | None = None
    board: AlertBoard | None = None
    accounts: Accounts | None = None
    web: WebConfig = field(default_factory=WebConfig)
    site: str = ""
    """The station's name."""
    token: str = field(default="", repr=False)
    """The station's own, for commands on this machine; nobody has it where it is empty."""
    committed: Committed = _at_once
    audit: RecordAudit = _nowhere
    record: Record = _not_kept
    recording: Recording | None = None
    clock: Clock = field(default_factory=SystemClock)
    csrf: str = field(default_factory=secrets.token_urlsafe, repr=False)
    """What the page says with each change while there are no accounts; new at each start."""

    @property
    def open(self) -> bool:
        """Whether anybody on this machine may try the station out: not any more once there is an account."""
        there_are_accounts = self.accounts is not None and self.accounts.exist
        return not (self.web.wide or self.web.oidc is not None or there_are_accounts)
