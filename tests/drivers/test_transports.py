"""Serial, TCP and file on real pseudo-terminals, sockets and files."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
import serial

from drivers.clock import ManualClock, SystemClock
from drivers.codec import SerialLine
from drivers.errors import BadCapture, LinkLost, LinkRefused, RequestRefused
from drivers.transports.base import Acknowledge, Transport
from drivers.transports.factory import make_transport, transport_kind
from drivers.transports.file import FileTransport
from drivers.transports.serial import SerialTransport
from drivers.transports.tcp import TcpTransport
from tests.drivers.fakes import line_driver


class Bytes:
    """A receiver that keeps what came."""

    def __init__(self) -> None:
        self.data = b""
        self.open = asyncio.Event()
        self._more = asyncio.Event()

    def opened(self) -> None:
        self.open.set()

    def received(self, data: bytes, acknowledge: Acknowledge | None) -> None:
        self.data += data
        self._more.set()

    async def until(self, length: int) -> bytes:
        async with asyncio.timeout(10):
            while len(self.data) < length:
                self._more.clear()
                await self._more.wait()
        return self.data


@pytest.fixture
def pty() -> tuple[int, int]:
    return os.openpty()


async def test_serial_delivers_sends_and_notices_that_it_was_unplugged(pty: tuple[int, int]) -> None:
    master, slave = pty
    line = SerialLine(19200, stopbits=2)
    transport = SerialTransport(os.ttyname(slave), line, [b"ask\r"])
    receiver = Bytes()
    running = asyncio.create_task(transport.run(receiver))
    await receiver.open.wait()
    os.write(master, b"\x00\xff\r\n\x11\x13")
    assert await receiver.until(6) == b"\x00\xff\r\n\x11\x13"
    transport.send(b"ask\r")
    assert os.read(master, 10) == b"ask\r"
    with pytest.raises(RequestRefused):
        transport.send(b"start the cuff")
    os.close(slave)
    os.close(master)
    with pytest.raises(LinkLost):
        await asyncio.wait_for(running, 10)


async def test_a_port_that_is_not_there_may_come(tmp_path: Path) -> None:
    with pytest.raises(LinkLost, match="No such file"):
        await SerialTransport(str(tmp_path / "ttyUSB9"), SerialLine(), ()).run(Bytes())


async def test_a_port_that_another_program_holds_needs_a_person(pty: tuple[int, int]) -> None:
    name = os.ttyname(pty[1])
    with serial.Serial(name, exclusive=True), pytest.raises(LinkRefused, match="another program holds"):
        await SerialTransport(name, SerialLine(), ()).run(Bytes())
    os.close(pty[0])
    os.close(pty[1])


async def test_line_parameters_that_a_port_does_not_take_need_a_person(pty: tuple[int, int]) -> None:
    # A pseudo-terminal has no parity bit.
    with pytest.raises(LinkRefused, match="line parameters"):
        await SerialTransport(os.ttyname(pty[1]), SerialLine(parity="E"), ()).run(Bytes())


async def test_a_serial_url_without_a_descriptor_is_read_too() -> None:
    transport = SerialTransport("loop://", SerialLine(), [b"echo"])
    receiver = Bytes()
    running = asyncio.create_task(transport.run(receiver))
    await receiver.open.wait()
    transport.send(b"echo")
    assert await receiver.until(4) == b"echo"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("scheme", ["tcp", "socket"])
async def test_a_network_converter_is_read_and_asked(scheme: str) -> None:
    got: list[bytes] = []

    async def device(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Opening a port throws away what had come before: the device says it until it is asked.
        asking = asyncio.create_task(reader.readexactly(3))
        while not asking.done():
            writer.write(b"hello")
            await asyncio.wait([asking], timeout=0.05)
        got.append(asking.result())
        writer.close()

    server = await asyncio.start_server(device, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport: Transport = (
        TcpTransport("127.0.0.1", port, [b"ask"])
        if scheme == "tcp"
        else SerialTransport(f"socket://127.0.0.1:{port}", SerialLine(), [b"ask"])
    )
    receiver = Bytes()
    running = asyncio.create_task(transport.run(receiver))
    assert (await receiver.until(5)).startswith(b"hello")
    transport.send(b"ask")
    with pytest.raises(LinkLost):
        await asyncio.wait_for(running, 10)
    assert got == [b"ask"]
    server.close()


async def test_a_tcp_port_that_nobody_serves_may_come() -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(LinkLost):
        await TcpTransport("127.0.0.1", port, ()).run(Bytes())


async def test_a_capture_is_delivered_whole_as_fast_as_possible(tmp_path: Path) -> None:
    capture = tmp_path / "c.bin"
    capture.write_bytes(bytes(range(256)) * 100)
    receiver = Bytes()
    await FileTransport(capture, None, (), SystemClock()).run(receiver)
    assert receiver.data == bytes(range(256)) * 100


async def test_a_capture_keeps_its_pace(tmp_path: Path, clock: ManualClock) -> None:
    capture = tmp_path / "c.bin"
    capture.write_bytes(bytes(1000))
    receiver = Bytes()
    running = asyncio.create_task(FileTransport(capture, 100.0, (), clock).run(receiver))
    await clock.advance(5.01)
    assert 495 <= len(receiver.data) <= 505
    await clock.advance(6)
    await running
    assert len(receiver.data) == 1000


async def test_a_capture_that_is_not_there_needs_a_person(tmp_path: Path) -> None:
    with pytest.raises(BadCapture):
        await FileTransport(tmp_path / "none", None, (), SystemClock()).run(Bytes())


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("/dev/ttyUSB0", "serial"),
        ("COM3", "serial"),
        ("rfc2217://10.0.0.7:4000", "serial"),
        ("socket://10.0.0.7:4000", "serial"),
        ("tcp://10.0.0.7:4000", "tcp"),
        ("mqtt://broker/vitals/a/b", "mqtt"),
        ("mqtts://broker:8884/vitals/a/b", "mqtt"),
        ("file:capture.bin?pace=fast", "file"),
        ("file:/tmp/capture.bin?pace=562", "file"),
    ],
)
def test_an_address_chooses_its_transport(url: str, kind: str) -> None:
    assert transport_kind(url) == kind
    assert isinstance(make_transport(url, line_driver(), ManualClock()), Transport)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://x/",
        "tcp://host",
        "tcp://host:99999",
        "mqtt://broker",
        "mqtt:///topic",
        "mqtt://b/a/+",
        "mqtt://b/#",
        "file:",
        "file:x?pace=0",
    ],
)
def test_what_is_no_address_is_refused_with_what_was_expected(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected|range"):
        transport_kind(url)


def test_a_capture_at_the_pace_of_its_line(tmp_path: Path) -> None:
    transport = make_transport("file:x", line_driver(), ManualClock(), line=SerialLine(19200))
    assert isinstance(transport, FileTransport)
    assert transport._rate == 1920
