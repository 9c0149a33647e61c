"""The server: its address, its end."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from drivers.clock import SystemClock
from drivers.errors import ConfigError, PortInUse
from monitor.live import LiveHub
from monitor.web import server as web_server
from monitor.web.app import create_app
from monitor.web.parts import Parts
from monitor.web.server import PageServer
from tests.monitor.web.wire import ask, port_of, send
from tests.server import PATIENCE

HEALTH = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LOGIN = "POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n"


async def test_a_taken_port_is_said_with_its_address(server: PageServer) -> None:
    other = PageServer(create_app(Parts(LiveHub([], SystemClock()))), port=port_of(server.address))
    with pytest.raises(PortInUse, match=rf"http://127\.0\.0\.1:{port_of(server.address)} is already taken"):
        other.bind()


async def test_a_port_is_taken_from_the_moment_it_is_bound_until_it_is_closed() -> None:
    first = PageServer(create_app(Parts(LiveHub([], SystemClock()))), "localhost", 0)
    first.bind()
    first.bind()
    second = PageServer(create_app(Parts(LiveHub([], SystemClock()))), port=port_of(first.address))
    with pytest.raises(PortInUse):
        second.bind()
    first.close()
    second.bind()
    await second.stop()
    await second.serve()


@pytest.mark.parametrize(
    ("host", "to"), [("0.0.0.0", "127.0.0.2"), ("::", "127.0.0.1"), ("::", "::1"), ("localhost", "127.0.0.1")]
)
async def test_it_is_where_it_was_told_to_be(hub: LiveHub, host: str, to: str) -> None:
    server = PageServer(create_app(Parts(hub)), host, 0, name="station.example")
    server.bind()
    serving = asyncio.create_task(server.serve())
    assert server.address.startswith("http://station.example:")
    answer = await ask(port_of(server.address), "/healthz", to=to)
    assert answer.status == 200
    hub.close()
    await server.stop()
    await serving


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_this_machine_does_not_have_is_said(hub: LiveHub, host: str) -> None:
    with pytest.raises(ConfigError, match=f"the page cannot be served at http://{host}:0"):
        PageServer(create_app(Parts(hub)), host, 0).bind()


async def test_a_server_that_was_cancelled_gives_the_port_back(hub: LiveHub) -> None:
    server = PageServer(create_app(Parts(hub)), port=0)
    server.bind()
    serving = asyncio.create_task(server.serve())
    stream = await send(port_of(server.address), "/api/live")
    await stream.head()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    with contextlib.suppress(ConnectionError):
        await asyncio.wait_for(stream.reader.read(), PATIENCE)
    stream.writer.close()
    again = PageServer(create_app(Parts(hub)), port=port_of(server.address))
    again.bind()
    again.close()


@pytest.mark.parametrize(
    "said",
    ["", "GET / HT", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ", LOGIN + "{", f"{HEALTH}GET / HTTP/1.1\r\nX"],
)
async def test_who_does_not_say_what_they_want_is_cut_off(
    server: PageServer, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setattr(web_server, "LOOK_EVERY", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server.address))
    writer.write(said.encode())
    async with asyncio.timeout(30):
        with contextlib.suppress(ConnectionError):
            await reader.read()
    writer.close()


async def test_a_request_of_two_lengths_is_refused_and_nothing_after_it_is_read(server: PageServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server.address))
    lengths = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    writer.write(f"POST /api/login HTTP/1.1\r\nHost: localhost\r\n{lengths}{HEALTH}".encode())
    async with asyncio.timeout(30):
        said = await reader.read()
    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"HTTP/1.1") == 1
    writer.close()


async def test_a_stream_is_not_cut_off(server: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server, "LOOK_EVERY", 0.05)
    stream = await send(port_of(server.address), "/api/live")
    await stream.head()
    for _ in range(3):
        await asyncio.wait_for(stream.reader.readuntil(b"data: "), 30)
    stream.writer.close()


async def test_there_are_so_many_connections_and_no_more(server: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server, "MOST", 3)
    idle = [await asyncio.open_connection("127.0.0.1", port_of(server.address)) for _ in range(3)]
    for _ in range(3):
        with pytest.raises((ConnectionError, EOFError)):
            await ask(port_of(server.address), "/healthz")
    for _, writer in idle:
        writer.close()
        await writer.wait_closed()
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(ConnectionError, EOFError):
                assert (await ask(port_of(server.address), "/healthz")).status == 200
                break
