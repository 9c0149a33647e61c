"""Tells pagers, telephones and desktops through the library `apprise`, an extra of the installation.

Its addresses hold passwords and tokens, and so do its own log lines and errors: none of them is shown, only which of
the addresses it was and what its service is called. Its calls wait: each is made in a thread of its own, which ends
with the program, so that one that hangs keeps neither the loop nor the station's end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from drivers.clock import NS, Clock
from monitor.alerts.conditions import URGENCY, AlertEvent, AlertState, Kind, Priority, Why
from monitor.notify.outbox import READY, Item, Outbox, Outcome, Verdict
from monitor.notify.settings import PagerConfig

if TYPE_CHECKING:
    import apprise

RUN_PROGRAMS = frozenset({"macosx"})
"""The schemes of apprise that start a program of this machine: the installed one is held to that by a test."""
PATIENCE = 30.0
"""Seconds for a service to take a message."""
LOADING = 60.0
"""Seconds to load apprise with its services."""
KEPT = 900.0
"""Seconds for which an event is tried: an older one would be taken for one of now."""
AT_ONCE = 20
"""Events in one message: who was away is not paged for each."""
MOST_HANGING = 3
"""Calls that may hang at one time; without one more, nobody would be paged after the first."""

_LOGGERS = ("apprise", "urllib3", "oauthlib", "requests_oauthlib")
"""They write addresses, tokens and messages."""
_TYPES = {Priority.LOW: "info", Priority.MEDIUM: "warning", Priority.HIGH: "failure"}

_T = TypeVar("_T")


class Pager:
    """All addresses of that configuration, each with a queue of its own.

    Raises `ConfigError` where the addresses are not to be had.
    """

    def __init__(self, config: PagerConfig, site: str, clock: Clock) -> None:
        self.name = config.name
        self._addresses = [Address(config, number, url, site, clock) for number, url in enumerate(config.urls(), 1)]

    @property
    def state(self) -> str:
        """That of the first address which is not `ready`."""
        return next((it.state for it in self._addresses if it.state != READY), READY)

    @property
    def detail(self) -> str:
        """Why those that are not ready are not."""
        return "; ".join(it.detail for it in self._addresses if it.detail)

    @property
    def health(self) -> str:
        """See `Outbox.health`; each address counts."""
        return "; ".join(it.health for it in self._addresses if it.health)

    def notify(self, events: Sequence[AlertEvent]) -> None:
        """See `Notifier.notify`."""
        for address in self._addresses:
            address.notify(events)

    async def run(self) -> None:
        """See `Notifier.run`."""
        async with asyncio.TaskGroup() as group:
            for address in self._addresses:
                group.create_task(address.run())


class Address(Outbox):
    """One address of a pager; `number` is its place, from 1."""

    at_once = AT_ONCE

    def __init__(self, config: PagerConfig, number: int, url: str, site: str, clock: Clock) -> None:
        super().__init__(config.name, f"pager {config.name}, address {number}", clock, config.least, KEPT)
        self._url = url
        self._site = site
        self._service: apprise.NotifyBase | None = None
        self._threads: list[threading.Thread] = []

    def wants(self, event: AlertEvent) -> bool:
        """Whether it asks for somebody: an alert that begins or that is told again, not what becomes of it."""
        asks = event.state is AlertState.ON or event.why == Why.REMINDER
        return event.kind is not Kind.OTHER and asks and super().wants(event)

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        problem = refused_scheme(self._url)
        if problem is None and self._service is None:
            # It is some two hundred modules.
            self._service = await self._in_thread(lambda: _load(self._url), LOADING)
        if self._service is None:
            self._refuse(0, problem or "apprise has no service for it on this machine, or it is incomplete")
        yield

    async def _send(self, items: Sequence[Item]) -> Outcome:
        service = self._service
        if service is None:
            return Outcome(Verdict.REFUSED, self.detail)
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if len(self._threads) >= MOST_HANGING:
            return Outcome(Verdict.AGAIN, f"{service.service_name} hangs: {MOST_HANGING} messages are under way")
        events = [item.event for item in items]
        worst = max((event.priority for event in events), key=URGENCY.__getitem__)
        body = "\n".join(map(_line, events))
        title = f"{self._site}: {worst} alert" if len(events) == 1 else f"{self._site}: {len(events)} alerts"

        def send() -> bool:
            return service.notify(title=title, body=body, notify_type=_TYPES[worst])

        try:
            taken = await self._in_thread(send, PATIENCE)
        except TimeoutError:
            return Outcome(Verdict.AGAIN, f"{service.service_name} gives no answer for {PATIENCE:g} s")
        if not taken:
            return Outcome(Verdict.AGAIN, f"{service.service_name} does not take it")
        return Outcome(Verdict.TAKEN)

    async def _in_thread(self, call: Callable[[], _T], patience: float) -> _T:
        """What the call returns or raises. Raises `TimeoutError` where it takes longer: it goes on then, unheard."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[_T] = loop.create_future()

        def tell(set_it: Callable[[], None]) -> None:
            if not done.done():
                set_it()

        def work() -> None:
            set_it: Callable[[], None]
            try:
                result = call()
            except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
                problem = error
                set_it = lambda: done.set_exception(problem)  # noqa: E731 - one of two
            else:
                set_it = lambda: done.set_result(result)  # noqa: E731 - the other
            # The station may have ended meanwhile.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(tell, set_it)

        thread = threading.Thread(target=work, name=self._label, daemon=True)
        self._threads.append(thread)
        thread.start()
        async with asyncio.timeout(patience):
            return await done


def refused_scheme(url: str) -> str | None:
    """Why an address is refused for the way that it begins; None where it is not. It is not shown."""
    scheme, found, _ = url.partition("://")
    if not found:
        return "expected SCHEME://..., as apprise has it"
    if scheme.strip().lower() in RUN_PROGRAMS:
        return f"{scheme}:// would start a program of this machine, which the station never does"
    return None


def _load(url: str) -> apprise.NotifyBase | None:
    """What apprise makes of an address; None where it makes nothing of it."""
    import apprise  # noqa: PLC0415 - an extra: it need not be installed

    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    asset = apprise.AppriseAsset(app_id="infusion-monitor", storage_mode="memory")
    service = apprise.Apprise.instantiate(url, asset=asset)
    # An address may also be one of the service's own, whose scheme says nothing.
    return None if service is None or type(service).__module__.rpartition(".")[2] in RUN_PROGRAMS else service


def _line(event: AlertEvent) -> str:
    at = datetime.fromtimestamp(event.at / NS).astimezone()
    where = event.bed or "station"
    again = ", still" if event.why == Why.REMINDER else ""
    return f"{at:%H:%M:%S} {where}, {event.priority}{again}: {event.text}"
