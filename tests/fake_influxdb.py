"""A small InfluxDB for what a real one does not show on demand: overload, silence, resets, half an answer.

Asked to write, it answers as the real one was measured to (see `tests/influxd.py` for that); `answers` go before.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import ssl
import urllib.parse
from collections import deque
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, Self

from line_protocol_parser import LineFormatError, parse_line

from tests.server import free_port

Series = tuple[str, tuple[tuple[str, str], ...]]
How = Literal["whole", "half", "reset", "never", "endless"]


class Answer(NamedTuple):
    """What to say to one post."""

    status: int = 204
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    how: How = "whole"
    """`half` breaks off within it, `reset` says nothing and breaks off, `never` says nothing, `endless` has no end."""
    writes: bool = False
    """Whether the lines are written all the same."""


def refusal(status: int, code: str, message: str, **headers: str) -> Answer:
    """As InfluxDB gives its errors; `_` in the name of a header stands for `-`."""
    body = json.dumps({"code": code, "message": message}).encode()
    return Answer(status, body, tuple((name.replace("_", "-"), value) for name, value in headers.items()))


class Post(NamedTuple):
    """One request as it came."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """Names in lower case."""
    lines: list[str]


class FakeInfluxdb:
    """On a free port of this machine while its `async with` lasts, on the event loop of who enters it."""

    org = "clinic"
    bucket = "vitals"
    token = "a-secret-that-nobody-may-see"

    def __init__(self, certificate: ssl.SSLContext | None = None) -> None:
        self.answers: deque[Answer] = deque()
        """For the next posts, one each."""
        self.always: Answer | None = None
        """For all that have no other."""
        self.oldest: int | None = None
        """Points before that time are outside retention."""
        self.longest = 50_000_000
        """Bytes that a post has at most, unpacked."""
        self.posts: list[Post] = []
        self.connections = 0
        self.points: dict[tuple[Series, int], dict[str, Any]] = {}
        """What is written."""
        self._types: dict[tuple[str, str], type] = {}
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
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=self._certificate, limit=2**20
        )

    async def stop(self) -> None:
        """Close the port and break off every connection."""
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()
        while self._writers:
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
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
        target = urllib.parse.urlsplit(head[0].split(" ")[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        post = Post(target.path, dict(urllib.parse.parse_qsl(target.query)), headers, list(split(body.decode())))
        self.posts.append(post)
        answer = self.answers.popleft() if self.answers else self.always
        if answer is None:
            answer = self._answer(post, len(body))
        elif answer.writes:
            self._answer(post, 0)
        return await self._say(answer, reader, writer)

    async def _say(self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if answer.how == "never":
            await reader.read()
            return False
        if answer.how == "reset":
            return False
        length = () if answer.how == "endless" else (("Content-Length", str(len(answer.body))),)
        lines = [f"HTTP/1.1 {answer.status} Said", *(f"{name}: {value}" for name, value in (*answer.headers, *length))]
        said = "\r\n".join([*lines, "", ""]).encode() + answer.body
        writer.write(said[: len(said) // 2] if answer.how == "half" else said)
        await writer.drain()
        while answer.how == "endless":
            writer.write(b"x" * 100_000)
            await writer.drain()
        return answer.how == "whole"

    def _answer(self, post: Post, size: int) -> Answer:
        if post.headers.get("authorization") != f"Token {self.token}":
            return refusal(401, "unauthorized", "unauthorized access")
        if post.query.get("org") != self.org:
            return refusal(404, "not found", f'organization name "{post.query.get("org")}" not found')
        if post.query.get("bucket") != self.bucket:
            return refusal(404, "not found", f'bucket "{post.query.get("bucket")}" not found')
        if size > self.longest:
            return refusal(413, "request too large", "unable to read data: points batch is too large")
        points, faults = [], []
        for line in post.lines:
            try:
                points.append(parse_line(line))
            except (LineFormatError, ValueError) as error:
                faults.append(f"unable to parse '{line}': {error}")
        if faults:
            return refusal(400, "invalid", "\n".join(faults))
        return self._write(points)

    def _write(self, points: list[dict[str, Any]]) -> Answer:
        too_old, conflict, dropped = 0, "", 0
        for point in points:
            name, fields, at = point["measurement"], point["fields"], point["time"]
            if self.oldest is not None and at < self.oldest:
                too_old += 1
                continue
            wrong = [
                field
                for field in fields
                if self._types.setdefault((name, field), type(fields[field])) is not type(fields[field])
            ]
            if wrong:
                dropped += 1
                conflict = (
                    conflict or f'input field "{wrong[0]}" on measurement "{name}" is type x, already exists as y'
                )
                continue
            series = (name, tuple(sorted(point["tags"].items())))
            self.points.setdefault((series, at), {}).update(fields)
        # It tells of one fault only, and of a conflict first.
        failure = "failure writing points to database: partial write: "
        if conflict:
            text = f"{failure}field type conflict: {conflict} dropped={dropped}"
            return refusal(422, "unprocessable entity", text)
        if too_old:
            text = f"{failure}dropped {too_old} points outside retention policy of duration 1h0m0s - oldest point ..."
            return refusal(422, "unprocessable entity", text)
        return Answer()


def split(text: str) -> Iterator[str]:
    """The lines; a line break inside a quoted string is not the end of one."""
    if '"' not in text:
        yield from (line for line in text.split("\n") if line)
        return
    line = ""
    for piece in text.split("\n"):
        line = f"{line}\n{piece}" if line else piece
        if line and line.replace("\\\\", "").replace('\\"', "").count('"') % 2 == 0:
            yield line
            line = ""
    if line:
        yield line
