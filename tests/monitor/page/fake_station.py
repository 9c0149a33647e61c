"""A station in few lines for tests of the page: real snapshots, a real stream and a real server; who asks is told."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any

from playwright.async_api import Browser, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from drivers.clock import SystemClock
from drivers.events import measured
from monitor.live import BedView, DeviceView, LiveHub
from monitor.web.guards import HEADERS
from monitor.web.routes.pages import STATIC
from monitor.web.server import PageServer
from monitor.web.stream import LiveStream

OPEN = {"login": "", "name": "", "role": "reviewer", "via": "open", "expires_at": None, "accounts": False}
ANNA = {"login": "anna", "name": "Anna Berg", "role": "nurse", "via": "session", "expires_at": None, "accounts": True}
NOBODY = {"error": "unauthorized", "text": "log in first", "accounts": True, "oidc": None, "site": "clinic"}
REFUSED = {"error": "forbidden", "text": "this page is not allowed to do that"}
PASSWORD = "right horse"
OXIMETER = DeviceView("oximeter", "Nonin", ("spo2", "pulse_rate"))

_FAILED_REQUEST = re.compile(r"ERR_CONNECTION|ERR_EMPTY|ERR_INCOMPLETE|ERR_FAILED|status of [45]\d\d")


class ShiftedClock(SystemClock):
    """The system's clock, ahead by `ahead` seconds."""

    ahead = 0.0

    def now_ns(self) -> int:
        """As the system's."""
        return super().now_ns() + int(self.ahead * 1e9)


class FakeStation:
    """One bed that is measured; whoever asks is `me`, or nobody where that is None."""

    def __init__(self) -> None:
        """Started at once, on a free port."""
        self.clock = ShiftedClock()
        self.me: dict[str, Any] | None = dict(OPEN)
        self.nobody = dict(NOBODY)
        self.csrf = "first"
        self.asked: list[tuple[str, str]] = []
        """Method and path, with its query, of every request to the API."""
        self.posted: list[tuple[str, Any]] = []
        """Path and body of what was done."""
        self.login_answer: tuple[int, dict[str, Any]] | None = None
        """What `/api/login` answers whatever is sent; None goes by the password."""
        self.refusal: tuple[int, Any] | None = None
        """What is answered to everything else that is to be done; None does it."""
        self.change: Callable[[dict[str, Any]], dict[str, Any]] = lambda snapshot: snapshot
        """What is made of each snapshot before it is sent."""
        self.port = 0
        self.open()

    def open(self) -> None:
        """Start, as another one than before, at the same address."""
        self.hub = LiveHub([BedView("chair-1", "Chair 1", (OXIMETER,))], self.clock, "clinic")
        snapshot = self.hub.snapshot
        self.hub.snapshot = lambda: self.change(snapshot())  # type: ignore[method-assign]  # what a test wants shown
        self._stream = LiveStream(self.hub)
        self.server = PageServer(self._app(), port=self.port)
        self.server.bind()
        self.port = int(self.server.address.rpartition(":")[2])
        self._serving = asyncio.create_task(self.server.serve())

    async def stop(self) -> None:
        """End within a second."""
        self.hub.close()
        await self.server.stop()
        await self._serving

    def give(self, **values: float) -> None:
        """Have the bed's device measure these."""
        now = time.time_ns()
        self.hub.receive("chair-1", "oximeter", [measured(key, value, now, now) for key, value in values.items()])

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/beds/{bed}", self._page),
                Route("/login", self._login_page),
                Route("/bare", self._bare),
                Route("/api/live", self._live),
                Route("/api/me", self._me),
                Route("/api/snapshot", self._snapshot),
                Route("/api/login", self._login, methods=["POST"]),
                Route("/api/{rest:path}", self._post, methods=["POST"]),
                Mount("/static", StaticFiles(directory=STATIC)),
            ]
        )

    async def _page(self, _request: Request) -> Response:
        return FileResponse(STATIC / "index.html", headers=HEADERS)

    async def _login_page(self, _request: Request) -> Response:
        return FileResponse(STATIC / "login.html", headers=HEADERS)

    async def _bare(self, _request: Request) -> Response:
        return HTMLResponse("<!doctype html><title>Nothing</title>", headers=HEADERS)

    async def _live(self, request: Request) -> Response:
        self._note(request)
        if self.me is None:
            return JSONResponse(self.nobody, 401)
        return self._stream.response(request.query_params.get("last"), lambda: self.me is not None)

    async def _me(self, request: Request) -> Response:
        self._note(request)
        return JSONResponse(self.nobody, 401) if self.me is None else JSONResponse(self.me | {"csrf": self.csrf})

    async def _snapshot(self, request: Request) -> Response:
        self._note(request)
        return JSONResponse(self.hub.snapshot())

    async def _login(self, request: Request) -> Response:
        body = await request.json()
        self.posted.append((request.url.path, body))
        if self.login_answer is not None:
            return JSONResponse(self.login_answer[1], self.login_answer[0])
        if body["password"] != PASSWORD:
            return JSONResponse({"error": "unauthorized", "text": "wrong"}, 401)
        self.me = dict(ANNA)
        return JSONResponse(self.me | {"csrf": self.csrf})

    async def _post(self, request: Request) -> Response:
        self._note(request)
        if self.refusal is not None:
            status, body = self.refusal
            return HTMLResponse(body, status) if isinstance(body, str) else JSONResponse(body, status)
        if request.headers.get("x-csrf-token") != self.csrf:
            return JSONResponse(REFUSED, 403)
        self.posted.append((request.url.path, await request.json()))
        if request.url.path != "/api/logout":
            return JSONResponse({"done": True})
        self.me = None
        return Response(status_code=204)

    def _note(self, request: Request) -> None:
        query = f"?{request.url.query}" if request.url.query else ""
        self.asked.append((request.method, request.url.path + query))


async def opened(browser: Browser, address: str, **options: Any) -> tuple[Page, list[str]]:
    """The page, and the list of all that its console says but of requests that failed."""
    page = await browser.new_page(**options)
    said: list[str] = []

    def say(text: str) -> None:
        if not _FAILED_REQUEST.search(text):
            said.append(text)

    page.on("console", lambda message: say(message.text))
    page.on("pageerror", lambda error: say(str(error)))
    await page.goto(address)
    return page, said
