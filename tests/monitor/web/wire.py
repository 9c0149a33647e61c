"""HTTP by hand, so that a test sends exactly what it says and sees exactly what comes."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterable
from typing import Any, NamedTuple

from monitor.web.settings import TlsConfig


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    """Names in lower case."""
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str:
        """The one of that name; empty where there is none."""
        [value] = self.all(name) or [""]
        return value

    def json(self) -> Any:
        return json.loads(self.body)


class Connection(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def head(self) -> Answer:
        """What comes before the body."""
        first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        pairs = (line.partition(": ") for line in lines)
        return Answer(int(first.split()[1]), [(name.lower(), value) for name, _, value in pairs], b"")


async def send(
    port: int,
    path: str,
    method: str = "GET",
    *,
    headers: Iterable[str] = (),
    body: bytes = b"",
    host: str | None = "127.0.0.1",
    to: str = "127.0.0.1",
    of: str | None = None,
    tls: ssl.SSLContext | None = None,
) -> Connection:
    """Ask; `headers` are whole lines, `of` is the address to ask from, `host` None is no such header."""
    reader, writer = await asyncio.open_connection(
        to, port, ssl=tls, local_addr=None if of is None else (of, 0), server_hostname=host if tls else None
    )
    lines = [f"{method} {path} HTTP/1.1", "Connection: close", *headers]
    if host is not None:
        lines.insert(1, f"Host: {host}")
    if body and not any(line.startswith("Transfer-Encoding") for line in lines):
        lines.append(f"Content-Length: {len(body)}")
    writer.write("\r\n".join((*lines, "", "")).encode("latin-1") + body)
    return Connection(reader, writer)


async def ask(port: int, path: str, method: str = "GET", **how: Any) -> Answer:
    """Ask, and read the answer to its end."""
    connection = await send(port, path, method, **how)
    try:
        head = await connection.head()
        return head._replace(body=await connection.reader.read())
    finally:
        connection.writer.close()


async def post(port: int, path: str, fields: object, *headers: str, **how: Any) -> Answer:
    """Ask for something to be done, as JSON."""
    said = ("Content-Type: application/json", *headers)
    return await ask(port, path, "POST", headers=said, body=json.dumps(fields).encode(), **how)


def trusting(tls: TlsConfig) -> ssl.SSLContext:
    """For a client that trusts that very certificate, and looks at its name."""
    context = ssl.create_default_context(cafile=tls.cert_file)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def assert_guarded(answer: Answer) -> None:
    """That a browser is told all that it is always told, and nothing lets other sites read."""
    policy = answer.header("content-security-policy")
    assert policy.startswith("default-src 'self'")
    assert "unsafe" not in policy
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("x-frame-options") == "DENY"
    assert answer.header("referrer-policy") == "no-referrer"
    assert answer.header("cross-origin-resource-policy") == "same-origin"
    assert answer.all("server") == []
    assert not [name for name, _ in answer.headers if name.startswith("access-control-")]
