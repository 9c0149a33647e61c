"""A served page with accounts and nothing else behind it: what tests of logging in and of the guards need."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers.clock import SystemClock
from monitor.accounts.accounts import Accounts
from monitor.accounts.passwords import Passwords
from monitor.accounts.people import Role
from monitor.live import BedView, LiveHub
from monitor.web.front import Front
from monitor.web.parts import Parts
from monitor.web.settings import WebConfig
from tests.monitor.web import wire

TOKEN = "token-of-this-start"
PASSWORD = "correct horse 42"


@dataclass
class Page:
    front: Front
    accounts: Accounts
    hub: LiveHub
    data_dir: Path
    told: list[tuple[Any, ...]]
    """What was recorded: who, what, of what."""
    origins: list[str]
    """From where, of each of these."""

    @property
    def port(self) -> int:
        return wire.port_of(self.front.page.address)

    async def ask(self, path: str, method: str = "GET", **how: Any) -> wire.Answer:
        return await wire.ask(self.port, path, method, **how)

    async def log_in(self, login: str = "anna", password: str = PASSWORD, *headers: str, **how: Any) -> wire.Answer:
        return await wire.post(self.port, "/api/login", {"login": login, "password": password}, *headers, **how)

    async def anna(self) -> list[str]:
        """The headers of Anna, a nurse, who has just logged in."""
        login = await self.accounts.log_in_known("anna", "127.0.0.1")
        return [f"Cookie: infusion-monitor={login.secret}", f"X-CSRF-Token: {login.csrf}"]


@contextlib.asynccontextmanager
async def page(
    folder: Path, quick: Passwords, web: WebConfig | None = None, *, accounts: bool = True
) -> AsyncIterator[Page]:
    """With Anna, a nurse, and Bo, an admin, where there are to be accounts."""
    told: list[tuple[Any, ...]] = []
    origins: list[str] = []

    def record(*said: str, origin: str = "", **_more: str) -> None:
        told.append(said)
        origins.append(origin)

    clock = SystemClock()
    people = Accounts(folder, clock, record, passwords=quick)
    await people.load()
    if accounts:
        await people.add_user("anna", "Anna Berg", Role.NURSE, PASSWORD, by="test")
        await people.add_user("bo", "Bo", Role.ADMIN, PASSWORD, by="test")
    hub = LiveHub([BedView("one", "One", ())], clock)
    front = Front(Parts(hub, accounts=people, web=web or WebConfig(), token=TOKEN, site="clinic"), clock, folder, 0)
    await front.open()
    serving = asyncio.create_task(front.serve())
    try:
        yield Page(front, people, hub, folder, told, origins)
    finally:
        hub.close()
        await front.stop()
        await serving
        await people.close()
