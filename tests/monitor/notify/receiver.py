"""A small HTTP server of the clinic's: keeps what it was posted, and answers as it is told to."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Literal, NamedTuple, Self

from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.notify.notifier import Notifier
from tests.server import PATIENCE, free_port


class Answer(NamedTuple):
    """What to say to one post."""

    status: int = 204
    headers: tuple[tuple[str, str], ...] = ()
    how: Literal["whole", "never", "reset"] = "whole"
    """`never` says nothing and stays, `reset` breaks off."""


NEVER, RESET = Answer(how="never"), Answer(how="reset")


class Post(NamedTuple):
    """One request as it came."""

    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        told = json.loads(self.body)
        assert isinstance(told, dict)
        return told

    def is_signed(self, key: bytes) -> bool:
        """As a receiver checks it by the specification, from nothing but the request."""
        content = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        right = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        return any(hmac.compare_digest(given, right) for given in self.headers["webhook-signature"].split(" "))


class Receiver:
    """On a free port of this machine while its `async with` lasts."""

    def __init__(self, certificate: ssl.SSLContext | None = None) -> None:
        self.answers: deque[Answer] = deque()
        """For the next posts, one each."""
        self.always = Answer()
        """For all that have no other."""
        self.posts: list[Post] = []
        self._certificate = certificate
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http{'s' if self._certificate else ''}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, on the same port as before where there was one."""
        self.port = self.port or free_port()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._certificate)

    async def stop(self) -> None:
        """Close the port and break off every connection."""
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()
        while self._writers:
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._one(reader, writer):
                    pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.posts.append(Post(head[0].split(" ")[1], headers, body))
        answer = self.answers.popleft() if self.answers else self.always
        if answer.how == "never":
            await reader.read()
        if answer.how != "whole":
            return False
        lines = [f"HTTP/1.1 {answer.status} Said", *(f"{name}: {value}" for name, value in answer.headers)]
        writer.write("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode())
        await writer.drain()
        return True


def alert(
    number: int = 0,
    bed: str = "chair-1",
    rule: str = "spo2_low",
    priority: Priority = Priority.HIGH,
    state: AlertState = AlertState.ON,
    kind: Kind = Kind.PHYSIOLOGICAL,
) -> AlertEvent:
    """An alert whose value is its number, so that order can be told."""
    at = 1_767_225_600_000_000_000 + number
    return AlertEvent(
        bed, rule, kind, priority, state, at, f"SpO₂ {number} < 90", "spo2", "oximeter", float(number), 90.0
    )


@contextlib.asynccontextmanager
async def running(one: Notifier) -> AsyncIterator[None]:
    """A notifier at work; it ends when it is told to."""
    task = asyncio.ensure_future(one.run())
    try:
        yield
    finally:
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=PATIENCE)
        assert done, "it does not end"
        assert task.cancelled()
