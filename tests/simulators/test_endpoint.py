"""Simulated monitors where others would look for real ones."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import serial

from drivers.clock import SystemClock
from simulators.device_side import DeviceSide
from simulators.endpoint import MqttEndpoint, PtyEndpoint, TcpEndpoint
from simulators.patient import Patient


class Echo(DeviceSide):
    """Says its number and answers with what it heard."""

    period = 0.01

    def __init__(self) -> None:
        super().__init__(Patient())
        self.said = 0

    def tick(self, now: float) -> bytes:
        self.said += 1
        return b"%d\n" % self.said

    def answer(self, data: bytes, now: float) -> bytes:
        return b"<" + data + b">"


async def test_a_pseudo_terminal_is_a_serial_port_for_pyserial(tmp_path: Path) -> None:
    link = tmp_path / "monitor"
    endpoint = PtyEndpoint(Echo(), SystemClock(), link)
    serving = asyncio.create_task(endpoint.serve())

    def talk() -> bytes:
        with serial.Serial(str(link), timeout=5) as port:
            port.write(b"hello")
            return port.read_until(b"<hello>")

    assert (await asyncio.to_thread(talk)).endswith(b"<hello>")
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert not link.is_symlink()


async def test_a_file_in_the_place_of_the_link_is_never_replaced(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_text("mine")
    for link in (file, file / "a", tmp_path):
        with pytest.raises(OSError, match=r"notes|no symbolic link"):
            PtyEndpoint(Echo(), SystemClock(), link)
    assert file.read_text() == "mine"


async def test_an_old_link_is_turned_and_only_an_own_one_is_removed(tmp_path: Path) -> None:
    link = tmp_path / "monitor"
    link.symlink_to("/dev/gone")
    first = PtyEndpoint(Echo(), SystemClock(), link)
    second = PtyEndpoint(Echo(), SystemClock(), link)
    first.unplug()
    assert link.is_char_device()
    link.unlink()
    link.write_text("somebody's")
    second.unplug()
    assert link.read_text() == "somebody's"


@pytest.mark.parametrize("url", ["mqtt://h", "mqtt://h/", "mqtt://h/a/+", "mqtt://h/%23", "mqtt:///a", "tcp://h/a"])
async def test_an_mqtt_url_that_nobody_can_publish_to_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected mqtt://HOST|wildcard"):
        MqttEndpoint(Echo(), SystemClock(), url)


async def test_nobody_reading_does_not_stop_the_device() -> None:
    side = Echo()
    endpoint = PtyEndpoint(side, SystemClock())
    for _ in range(3000):
        await endpoint._send(b"x" * 100)
    endpoint.unplug()
    await endpoint._send(b"into the air")


async def test_several_readers_of_a_tcp_port_hear_the_same() -> None:
    endpoint = TcpEndpoint(Echo(), SystemClock(), "127.0.0.1", 0)
    await endpoint.start()
    serving = asyncio.create_task(endpoint.serve())
    port = int(endpoint.address.rsplit(":", 1)[1])
    for _ in range(2):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert (await reader.readline()).strip().isdigit()
        writer.write(b"ask")
        assert b"<ask>" in await asyncio.wait_for(reader.readuntil(b">"), 5)
        writer.close()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
