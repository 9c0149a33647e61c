"""The clinic's broker as deploy/ sets it up: a real mosquitto with its configuration, rights and secrets."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from aiomqtt import ProtocolVersion
from aiomqtt.exceptions import MqttConnectError

from drivers.transports.base import Acknowledge
from drivers.transports.mqtt import MqttSettings, MqttTransport
from tests.broker import PATIENCE, Broker, until
from tests.deploy import secrets

MONITOR, OTHER = "chair-1/monitor", "chair-2/monitor"
NOT_AUTHORISED = 135


class ClinicBroker(Broker):
    """The broker of deploy/mosquitto, with other folders and port, on the secrets in `folder`."""

    def __init__(self, folder: Path, made: Path) -> None:
        super().__init__(folder)
        self.secrets = made
        text = (secrets.DEPLOY / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8")
        moved = {
            "/run/secrets/mosquitto_passwords": made / "mosquitto_passwords",
            "/run/secrets/broker_certificate": made / "broker.pem",
            "/run/secrets/broker_key": made / "broker.key",
            "/mosquitto/config/acl": secrets.DEPLOY / "mosquitto" / "acl",
            "/mosquitto/data/": f"{folder}/",
        }
        for there, here in moved.items():
            assert text.count(there) == 1
            text = text.replace(there, str(here))
        # Only where a log goes and which user it becomes is the test's own.
        text = text.replace("log_dest stderr", f"log_dest file {folder / 'log'}\nuser root")
        everything = [line for line in text.splitlines() if line and not line.startswith("#")]
        listener = everything.index("listener 8883")
        self._lines, self._listener = everything[:listener], everything[listener + 1 :]

    def as_user(self, name: str, password: str | None = None, **more: Any) -> aiomqtt.Client:
        file = "mqtt_station_password" if name == "station" else f"monitors/{name}"
        return aiomqtt.Client(
            "127.0.0.1",
            self.port,
            username=name,
            password=secrets.text(self.secrets / file) if password is None else password,
            tls_context=ssl.create_default_context(cafile=self.secrets / "ca.pem"),
            protocol=ProtocolVersion.V5,
            timeout=PATIENCE,
            **more,
        )

    def station(self, topic: str = f"vitals/{MONITOR}") -> MqttTransport:
        """The station's own transport, with the settings that deploy/clinic.yaml gives it."""
        settings = MqttSettings(
            username="station",
            password=secrets.text(self.secrets / "mqtt_station_password"),
            ca_file=self.secrets / "ca.pem",
        )
        return MqttTransport(
            "127.0.0.1", self.port, topic, tls=True, identifier="infusion-monitor-chair-1-monitor", settings=settings
        )


class Inbox:
    """Keeps what came, and acknowledges nothing by itself."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.owed: list[Acknowledge] = []
        self.links = 0

    def opened(self) -> None:
        self.links += 1

    def received(self, data: bytes, acknowledge: Acknowledge) -> None:
        self.payloads.append(data)
        self.owed.append(acknowledge)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return secrets.made(tmp_path_factory.mktemp("made") / "secrets", "--monitor", MONITOR, "--monitor", OTHER)


@pytest.fixture
def broker(tmp_path: Path, made: Path) -> Iterator[ClinicBroker]:
    with ClinicBroker(tmp_path / "broker", made) as started:
        yield started


@asynccontextmanager
async def listening(link: MqttTransport, inbox: Inbox):  # type: ignore[no-untyped-def]
    running = asyncio.create_task(link.run(inbox))
    try:
        await until(lambda: inbox.links or running.done(), "for the station's link")
        if running.done():
            running.result()
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def refusal(client: aiomqtt.Client, topic: str) -> int | None:
    """The broker's reason for not taking a message; None where it takes it."""
    async with client:
        reasons: list[int] = []
        inner = client._client
        previous = inner.on_publish

        def told(one: Any, data: Any, mid: int, reason: Any, properties: Any) -> None:
            reasons.append(reason.value)
            previous(one, data, mid, reason, properties)  # type: ignore[misc]

        inner.on_publish = told
        await client.publish(topic, "{}", qos=1)
    return reasons[0] if reasons[0] >= 128 else None


async def test_nobody_comes_without_a_password(broker: ClinicBroker) -> None:
    context = ssl.create_default_context(cafile=broker.secrets / "ca.pem")
    with pytest.raises(MqttConnectError, match=r"[Nn]ot authori[sz]ed"):
        async with aiomqtt.Client("127.0.0.1", broker.port, tls_context=context, protocol=ProtocolVersion.V5):
            pass
    with pytest.raises(MqttConnectError, match=r"[Nn]ot authori[sz]ed"):
        async with broker.as_user(MONITOR, password="guessed"):
            pass


def test_nothing_goes_without_tls(broker: ClinicBroker) -> None:
    answer = b""
    with socket.create_connection(("127.0.0.1", broker.port), PATIENCE) as link, contextlib.suppress(ConnectionError):
        link.sendall(bytes.fromhex("101000044d5154540402003c000474657374"))  # CONNECT in MQTT 3.1.1
        answer = link.recv(1)
    assert answer != b"\x20", "that was a CONNACK"


def test_who_trusts_another_authority_gets_no_link(broker: ClinicBroker, tmp_path: Path) -> None:
    def connect(authority: Path) -> None:
        context = ssl.create_default_context(cafile=authority / "ca.pem")
        with (
            socket.create_connection(("127.0.0.1", broker.port), PATIENCE) as link,
            context.wrap_socket(link, server_hostname="localhost"),
        ):
            pass

    connect(broker.secrets)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(secrets.made(tmp_path / "other"))


async def test_a_monitor_writes_its_own_topic_and_the_station_reads_it(broker: ClinicBroker) -> None:
    inbox = Inbox()
    async with listening(broker.station(), inbox), broker.as_user(MONITOR) as monitor:
        await monitor.publish(f"vitals/{MONITOR}", '{"spo2": 97}', qos=1)
        await until(lambda: inbox.payloads, "for the message")
        inbox.owed[0]()
    assert inbox.payloads == [b'{"spo2": 97}']


@pytest.mark.parametrize(
    "topic",
    [
        f"vitals/{OTHER}",
        "vitals/chair-1",
        "vitals/chair-1/monitor/more",
        "vitals/chair-1/other",
        "else/chair-1/monitor",
    ],
)
async def test_a_monitor_writes_nothing_else(broker: ClinicBroker, topic: str) -> None:
    assert await refusal(broker.as_user(MONITOR), topic) == NOT_AUTHORISED
    assert await refusal(broker.as_user(MONITOR), f"vitals/{MONITOR}") is None


@pytest.mark.parametrize("topic", [f"vitals/{MONITOR}", "vitals/station", "vitals/station/x", "anything"])
async def test_the_station_writes_nothing(broker: ClinicBroker, topic: str) -> None:
    assert await refusal(broker.as_user("station"), topic) == NOT_AUTHORISED


async def test_a_monitor_reads_nothing(broker: ClinicBroker) -> None:
    async with (
        broker.as_user(OTHER) as curious,
        broker.as_user(MONITOR) as monitor,
        broker.as_user("station") as station,
    ):
        await curious.subscribe("#", qos=1)
        await curious.subscribe(f"vitals/{OTHER}", qos=1)
        await station.subscribe(f"vitals/{MONITOR}", qos=1)
        await monitor.publish(f"vitals/{MONITOR}", "{}", qos=1)
        async with asyncio.timeout(PATIENCE):
            await anext(aiter(station.messages))
        # Whatever the curious one were to get, it would have been sent before this answer.
        await curious.unsubscribe("#")
        assert len(curious.messages) == 0


async def test_what_waits_for_the_station_is_not_dropped(broker: ClinicBroker) -> None:
    before, after = Inbox(), Inbox()
    async with listening(broker.station(), before):
        pass
    async with broker.as_user(MONITOR) as monitor:
        monitor.pending_calls_threshold = 100
        for first in range(0, 3000, 100):
            await asyncio.gather(
                *(monitor.publish(f"vitals/{MONITOR}", str(number), qos=1) for number in range(first, first + 100))
            )
    async with listening(broker.station(), after):
        await until(lambda: len(after.payloads) == 3000, f"for 3000 messages; {len(after.payloads)} came")
        for acknowledge in after.owed:
            acknowledge()
    assert [int(payload) for payload in after.payloads] == list(range(3000))


@pytest.mark.parametrize("version", [ProtocolVersion.V5, ProtocolVersion.V311])
async def test_values_come_while_none_is_acknowledged(broker: ClinicBroker, version: ProtocolVersion) -> None:
    inbox = Inbox()
    link = broker.station()
    link._version = version
    link._said_version = True
    async with listening(link, inbox), broker.as_user(MONITOR) as monitor:
        for number in range(200):
            await monitor.publish(f"vitals/{MONITOR}", str(number), qos=1)
        await until(lambda: len(inbox.payloads) == 200, f"for 200 messages; {len(inbox.payloads)} came")
        for acknowledge in inbox.owed:
            acknowledge()


async def test_sessions_outlive_the_broker(tmp_path: Path, made: Path) -> None:
    after = Inbox()
    with ClinicBroker(tmp_path / "broker", made) as broker:
        async with listening(broker.station(), Inbox()):
            pass
        async with broker.as_user(MONITOR) as monitor:
            await monitor.publish(f"vitals/{MONITOR}", "waits", qos=1)
        broker.stop()
        broker.start()
        async with listening(broker.station(), after):
            await until(lambda: after.payloads, "for the message that waited")
            after.owed[0]()
    assert after.payloads == [b"waits"]


def test_limits_hold_a_week_of_a_message_a_second() -> None:
    text = (secrets.DEPLOY / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8")
    limits = {name: int(number) for name, number in re.findall(r"^(max_\w+) (\d+)$", text, re.MULTILINE)}
    week = 7 * 24 * 3600
    assert limits["max_queued_messages"] > week
    assert limits["max_queued_bytes"] > week * 400
    assert limits["max_inflight_messages"] == 0
