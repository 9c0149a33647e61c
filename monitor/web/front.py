"""The station's web side: the page, and the door for commands where these cannot be answered at the page's address.

A command reaches the station by the address and the token in `station.json`. It asks in clear and on this machine
alone, so that where the page speaks TLS, or is there for others, commands have an address of their own.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from drivers.clock import Clock
from drivers.errors import ConfigError
from monitor.accounts.accounts import Accounts
from monitor.accounts.people import Role
from monitor.web import certificate, station_file
from monitor.web.app import create_app
from monitor.web.guards import Door
from monitor.web.parts import Parts
from monitor.web.server import PageServer
from monitor.web.settings import IN_CLEAR, WebConfig

RETRY = 5.0
"""Seconds before a server that failed is started again."""

log = logging.getLogger(__name__)


class Front:
    """All that is served of the station behind `parts`: `open`, then `serve` until `stop`."""

    def __init__(self, parts: Parts, clock: Clock, data_dir: Path, port: int | None = None) -> None:
        """`port` is in place of the configured one. Raises `ConfigError` where a secret is not to be had."""
        web = parts.web
        self.app = create_app(parts)
        self._parts = parts
        self._clock = clock
        self._data_dir = data_dir
        name = web.names[0] if web.names else None
        self.page = PageServer(self.app, web.host, web.port if port is None else port, tls=web.tls, name=name)
        self._door = PageServer(Door(self.app), port=0) if web.needs_door else self.page

    @property
    def _servers(self) -> list[PageServer]:
        return [self.page] if self._door is self.page else [self.page, self._door]

    async def open(self) -> None:
        """Take the addresses. Raises `PortInUse`, or `ConfigError` where nobody may be let in; nothing is open then."""
        check_admission(self._parts.web, self._parts.accounts, self._data_dir)
        try:
            for server in self._servers:
                await asyncio.to_thread(server.bind)
            await self._doubt()
        except BaseException:
            self.close()
            raise
        station_file.write(self._data_dir, self._door.address, self._parts.token)

    async def serve(self) -> None:
        """Serve until `stop`. A server that fails is started again: it must not end the recording."""
        async with asyncio.TaskGroup() as group:
            for server in self._servers:
                group.create_task(self._serve(server))

    async def stop(self) -> None:
        """End within a second; close the hub first."""
        station_file.remove(self._data_dir)
        await asyncio.gather(*(server.stop() for server in self._servers))

    def close(self) -> None:
        """Give the addresses back; for what does not serve."""
        for server in self._servers:
            server.close()

    async def _serve(self, server: PageServer) -> None:
        while not self._parts.hub.closed:
            try:
                await server.serve()
            except Exception:
                log.exception("the page's server failed; starting it again")
                await self._clock.sleep(RETRY)

    async def _doubt(self) -> None:
        web = self._parts.web
        if web.tls is not None:
            for doubt in await asyncio.to_thread(certificate.doubts, web.tls, web.names or (web.host,)):
                log.warning("web.tls: %s", doubt)


def check_admission(web: WebConfig, accounts: Accounts | None, data_dir: Path) -> None:
    """Raise `ConfigError` where others could reach a page in clear, or one into which nobody can log in."""
    if not web.wide:
        return
    if not web.secure:
        raise ConfigError([f"web.host: {web.host} is to be reached from other machines: {IN_CLEAR}"])
    admins = [] if accounts is None else [user for user in accounts.users() if user.role is Role.ADMIN]
    if web.oidc is None and not any(user.password is not None and not user.disabled for user in admins):
        where = f"web.host {web.host}" if not web.trusted_proxies else "web.trusted_proxies"
        command = f"infusion-monitor user add LOGIN --name NAME --role admin --data-dir {data_dir}"
        text = f"other machines could reach the page ({where}), and nobody could log in as admin: `{command}` gives one"
        raise ConfigError([text])
