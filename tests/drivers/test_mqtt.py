"""MQTT against a real mosquitto: what was not acknowledged comes again, and an error says who must act."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import warnings
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from pathlib import Path

import pytest
from aiomqtt import ProtocolVersion

from drivers.clock import NS, Clock, ManualClock, SystemClock
from drivers.device import Device
from drivers.errors import InfusionMonitorError, LinkLost, LinkRefused
from drivers.events import DeviceStatus, LinkState, Reading
from drivers.registry import find
from drivers.transports import mqtt
from drivers.transports.base import Acknowledge
from drivers.transports.factory import make_transport
from drivers.transports.mqtt import MqttSettings, MqttTransport
from simulators.devices.mqtt_json import MqttJsonSide
from simulators.endpoint import MqttEndpoint
from simulators.patient import Patient
from tests.broker import PATIENCE, Authority, Broker, until
from tests.drivers.fakes import Collector

TOPIC = "vitals/chair-1/gateway"
IDENTIFIER = "station-gateway"
WINDOW = 20
"""Messages that mosquitto, as it comes, sends in MQTT 3.1.1 without having been acknowledged one."""
VERSIONS = pytest.mark.parametrize("version", [ProtocolVersion.V5, ProtocolVersion.V311])
START = 1_790_000_000 * NS
"""A moment of the past for messages that tell their own time."""
DYNAMIC_SECURITY = next(Path("/usr/lib").glob("**/mosquitto_dynamic_security.so"), None)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker", lines=["log_type all"]) as started:
        yield started


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def transport(
    broker: Broker,
    topic: str = TOPIC,
    *,
    identifier: str = IDENTIFIER,
    tls: bool = False,
    settings: MqttSettings | None = None,
    version: ProtocolVersion = ProtocolVersion.V5,
) -> MqttTransport:
    link = MqttTransport(
        "127.0.0.1", broker.port, topic, tls=tls, identifier=identifier, settings=settings or MqttSettings()
    )
    link._version = version
    return link


class Inbox:
    """A receiver that keeps what came, and acknowledges the first `acknowledged` of it at once."""

    def __init__(self, *, acknowledged: int = 0) -> None:
        self.payloads: list[bytes] = []
        self.owed: list[Acknowledge] = []
        self.links = 0
        self._acknowledged = acknowledged

    def opened(self) -> None:
        self.links += 1

    def received(self, data: bytes, acknowledge: Acknowledge | None) -> None:
        assert acknowledge is not None
        self.payloads.append(data)
        if len(self.payloads) <= self._acknowledged:
            acknowledge()
        else:
            self.owed.append(acknowledge)

    def pay(self, count: int | None = None) -> None:
        """Acknowledge the oldest `count` that are owed; all of them without a number."""
        paid, self.owed = self.owed[:count], self.owed[count:] if count is not None else []
        for acknowledge in paid:
            acknowledge()

    async def until(self, count: int) -> list[bytes]:
        await until(lambda: len(self.payloads) >= count, f"for {count} messages: {len(self.payloads)} came")
        return self.payloads


@contextlib.asynccontextmanager
async def running(served: Awaitable[None]) -> AsyncIterator[asyncio.Task[None]]:
    """Keep a transport, device or endpoint running; it is cancelled at the end."""
    task = asyncio.ensure_future(served)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def linked(link: MqttTransport, inbox: Inbox) -> AsyncIterator[asyncio.Task[None]]:
    """A transport that runs and whose link stands."""
    before = inbox.links
    async with running(link.run(inbox)) as task:
        await until(lambda: inbox.links > before or task.done(), "for the link")
        if task.done():
            await task
        yield task


async def outcome(link: MqttTransport) -> None:
    """Run a transport that cannot succeed; raises what becomes of it."""
    failure = None
    with warnings.catch_warnings():
        # paho leaves the socket of a failed TLS handshake to the garbage collector, which complains of it.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            async with asyncio.timeout(PATIENCE):
                await link.run(Inbox())
        except InfusionMonitorError as error:
            # A new one, without the frames that still hold the socket.
            failure = type(error)(str(error))
        # The loop's present turn holds it too.
        await asyncio.sleep(0)
        gc.collect()
    assert failure is not None
    raise failure


def numbered(first: int, last: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, last)]


async def test_messages_are_delivered_whole_each_to_its_topic(broker: Broker) -> None:
    payloads = [b"1", b"\x00\xff\r\n" * 3, bytes(range(256)) * 2000, b"", '{"SpO₂": 97}'.encode()]
    mine, other = Inbox(acknowledged=100), Inbox(acknowledged=100)
    async with (
        linked(transport(broker), mine),
        linked(transport(broker, "vitals/chair-2/#", identifier="station-other"), other),
    ):
        await broker.publish(TOPIC, *payloads)
        await broker.publish("vitals/chair-2/cuff", b"a cuff's")
        assert await mine.until(len(payloads)) == payloads
        assert await other.until(1) == [b"a cuff's"]
    assert mine.payloads == payloads


async def test_what_was_not_acknowledged_comes_again_and_nothing_else(broker: Broker) -> None:
    first = Inbox(acknowledged=4)
    link = transport(broker)
    async with linked(link, first):
        await broker.publish(TOPIC, *numbered(0, 10))
        assert await first.until(10) == numbered(0, 10)
        await until(lambda: broker.acknowledged(IDENTIFIER) == 4)
    again = Inbox()
    async with linked(link, again):
        assert await again.until(6) == numbered(4, 10)
        again.pay()
        await broker.publish(TOPIC, b"new")
        assert await again.until(7) == [*numbered(4, 10), b"new"]
        again.pay()
        await until(lambda: broker.acknowledged(IDENTIFIER) == 4 + 7)
    third = Inbox()
    async with linked(link, third):
        await broker.publish(TOPIC, b"newer")
        assert await third.until(1) == [b"newer"]


async def test_the_session_belongs_to_the_identifier(broker: Broker) -> None:
    async with linked(transport(broker), Inbox()):
        await broker.publish(TOPIC, b"1")
    stranger = Inbox()
    async with linked(transport(broker, identifier="another"), stranger):
        await broker.publish(TOPIC, b"2")
        assert await stranger.until(1) == [b"2"]
    again = Inbox()
    async with linked(transport(broker), again):
        assert await again.until(2) == [b"1", b"2"]


async def test_what_is_published_while_the_station_is_down_is_kept_for_it(broker: Broker) -> None:
    async with linked(transport(broker), Inbox()):
        pass
    await broker.publish(TOPIC, *numbered(0, 1000))
    inbox = Inbox(acknowledged=1000)
    async with linked(transport(broker), inbox):
        assert await inbox.until(1000) == numbered(0, 1000)


async def test_a_broker_that_dies_is_a_lost_link_and_back_on_its_port_it_owes_nothing(broker: Broker) -> None:
    link, inbox = transport(broker), Inbox(acknowledged=5)
    async with linked(link, inbox) as task:
        await broker.publish(TOPIC, *numbered(0, 8))
        await inbox.until(8)
        await until(lambda: broker.acknowledged(IDENTIFIER) == 5)
        broker.save()
        broker.kill()
        with pytest.raises(LinkLost):
            await asyncio.wait_for(task, PATIENCE)
    with pytest.raises(LinkLost):
        await outcome(link)
    broker.start()
    await broker.publish(TOPIC, *numbered(8, 30))
    again = Inbox(acknowledged=100)
    async with linked(link, again):
        assert await again.until(25) == numbered(5, 30)


async def test_a_broker_that_says_nothing_more_is_a_lost_link(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "KEEPALIVE", 1)
    async with linked(transport(broker), Inbox()) as task:
        broker.freeze()
        with pytest.raises(LinkLost):
            await asyncio.wait_for(task, PATIENCE)


async def test_a_session_taken_over_by_another_program_is_a_lost_link(broker: Broker) -> None:
    async with linked(transport(broker), Inbox()) as first, linked(transport(broker), Inbox()):
        with pytest.raises(LinkLost):
            await asyncio.wait_for(first, PATIENCE)


@VERSIONS
@pytest.mark.parametrize("password", ["wrong", None])
async def test_a_wrong_password_needs_a_person(tmp_path: Path, password: str | None, version: ProtocolVersion) -> None:
    with Broker(tmp_path, users={"station": "right"}) as broker:
        good = MqttSettings(username="station", password="right")
        async with linked(transport(broker, settings=good, version=version), Inbox()):
            pass
        bad = MqttSettings(username="station", password=password)
        with pytest.raises(LinkRefused, match=r"135\] Not authorized"):
            await outcome(transport(broker, settings=bad, version=version))


async def test_no_user_at_all_needs_a_person(tmp_path: Path) -> None:
    with Broker(tmp_path, users={"station": "right"}) as broker, pytest.raises(LinkRefused):
        await outcome(transport(broker))


@pytest.mark.parametrize(
    ("version", "reason"), [(ProtocolVersion.V5, "Not authorized"), (ProtocolVersion.V311, "Unspecified error")]
)
async def test_a_subscription_that_the_broker_answers_with_no_needs_a_person(
    tmp_path: Path, version: ProtocolVersion, reason: str
) -> None:
    if DYNAMIC_SECURITY is None:
        pytest.skip("this mosquitto has no dynamic security")
    rules = tmp_path / "rules.json"
    allowed = {"publishClientSend": True, "publishClientReceive": True, "subscribe": False, "unsubscribe": True}
    rules.write_text(json.dumps({"defaultACLAccess": allowed, "clients": [], "groups": [], "roles": []}))
    lines = (f"plugin {DYNAMIC_SECURITY}", f"plugin_opt_config_file {rules}")
    refused = pytest.raises(LinkRefused, match=f"does not allow this subscription: {reason}")
    with Broker(tmp_path / "broker", lines=lines) as broker, refused:
        await outcome(transport(broker, version=version))


async def test_an_access_list_lets_everybody_subscribe_and_keeps_the_messages_back(tmp_path: Path) -> None:
    # So mosquitto's file of access rules does, whatever the subscription: the link stands and the device is silent.
    with Broker(tmp_path, acl="topic read vitals/chair-1/#\ntopic write #\n") as broker:
        inbox = Inbox(acknowledged=9)
        async with linked(transport(broker, "#"), inbox):
            await broker.publish("vitals/chair-2/gateway", b"not for this station")
            await broker.publish(TOPIC, b"for this station")
            assert await inbox.until(1) == [b"for this station"]


async def test_tls_with_the_given_authority(tmp_path: Path, authority: Authority) -> None:
    with Broker(tmp_path, certificate=authority.issue("broker", "IP:127.0.0.1")) as broker:
        inbox = Inbox(acknowledged=9)
        payloads = [b"1", bytes(range(256)) * 2000, b"3"]
        async with linked(transport(broker, tls=True, settings=MqttSettings(ca_file=authority.certificate)), inbox):
            await broker.publish(TOPIC, *payloads, authority=authority)
            assert await inbox.until(3) == payloads


async def test_tls_with_a_certificate_of_the_station(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.issue("station", "DNS:station")
    with Broker(tmp_path, certificate=authority.issue("broker", "IP:127.0.0.1"), client_authority=authority) as broker:
        settings = MqttSettings(ca_file=authority.certificate, cert_file=certificate, key_file=key)
        async with linked(transport(broker, tls=True, settings=settings), Inbox()):
            pass


async def test_an_unknown_authority_needs_a_person(tmp_path: Path, authority: Authority) -> None:
    with Broker(tmp_path, certificate=authority.issue("broker", "IP:127.0.0.1")) as broker:
        for stranger in (None, Authority(tmp_path / "stranger", "another authority").certificate):
            with pytest.raises(LinkRefused, match="certificate is not trusted"):
                await outcome(transport(broker, tls=True, settings=MqttSettings(ca_file=stranger)))


async def test_a_certificate_of_another_host_needs_a_person(tmp_path: Path, authority: Authority) -> None:
    refused = pytest.raises(LinkRefused, match="certificate is not trusted: IP address mismatch")
    with Broker(tmp_path, certificate=authority.issue("broker", "DNS:broker.example")) as broker, refused:
        await outcome(transport(broker, tls=True, settings=MqttSettings(ca_file=authority.certificate)))


@pytest.mark.parametrize("which", ["ca_file", "cert_file"])
async def test_a_certificate_file_that_is_not_there_needs_a_person(broker: Broker, tmp_path: Path, which: str) -> None:
    settings = MqttSettings(**{which: tmp_path / "none.pem"})
    with pytest.raises(LinkRefused, match="certificate file"):
        await outcome(transport(broker, tls=True, settings=settings))


async def test_tls_to_a_port_without_it_is_no_link(broker: Broker) -> None:
    with pytest.raises(LinkLost):
        await outcome(transport(broker, tls=True))


async def test_a_subscription_that_is_none_needs_a_person(broker: Broker) -> None:
    with pytest.raises(LinkRefused, match="vitals/#/gateway"):
        await outcome(transport(broker, "vitals/#/gateway"))


class HalfABroker:
    """A port that gives an answer of `answers` to CONNECT by its version, and hangs up where that is no yes.

    Where it was a yes it answers SUBSCRIBE after `backlog` messages, one every `pause` seconds, and takes what else
    comes; it hangs up once it has heard `questions` packets.
    """

    def __init__(
        self, answers: Mapping[int, bytes], *, questions: int | None = None, backlog: int = 0, pause: float = 0
    ) -> None:
        self.answers = dict(answers)
        self.versions: list[int] = []
        """The protocol level that each CONNECT had."""
        self._questions = questions
        self._backlog = backlog
        self._pause = pause

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            connect = await self._packet(reader)
            assert connect[:6] == b"\x00\x04MQTT"
            version = connect[6]
            self.versions.append(version)
            writer.write(self.answers[version])
            if self.answers[version][3:4] != b"\x00" or self._questions == 1:
                return
            subscribe = await self._packet(reader)
            if self._questions == 2:
                return
            # In MQTT 5 the number of a packet is followed by its properties, here none.
            none = b"\x00" if version == 5 else b""
            topic = len(TOPIC).to_bytes(2, "big") + TOPIC.encode()
            for number in range(self._backlog):
                await asyncio.sleep(self._pause)
                self._send(writer, 0x32, topic + (number + 1).to_bytes(2, "big") + none + b"%d" % number)
            self._send(writer, 0x90, subscribe[:2] + none + b"\x01")
            while await self._packet(reader):
                pass

    def _send(self, writer: asyncio.StreamWriter, kind: int, body: bytes) -> None:
        writer.write(bytes([kind, len(body)]) + body)

    async def _packet(self, reader: asyncio.StreamReader) -> bytes:
        """The next packet without its head; they are all short here."""
        head = await reader.read(2)
        return await reader.readexactly(head[1]) if len(head) == 2 else b""


@contextlib.asynccontextmanager
async def half_a_broker(
    answers: Mapping[int, bytes], *, questions: int | None = None, backlog: int = 0, pause: float = 0
) -> AsyncIterator[tuple[HalfABroker, MqttTransport]]:
    half = HalfABroker(answers, questions=questions, backlog=backlog, pause=pause)
    server = await asyncio.start_server(half.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield half, MqttTransport("127.0.0.1", port, TOPIC, tls=False, identifier="i", settings=MqttSettings())
    finally:
        server.close()


YES = {4: b"\x20\x02\x00\x00", 5: b"\x20\x03\x00\x00\x00"}
NOT_NOW = {4: b"\x20\x02\x00\x03", 5: b"\x20\x03\x00\x88\x00"}
NOTHING = {4: b"", 5: b""}


@pytest.mark.parametrize(
    ("answers", "questions"),
    [(NOTHING, 1), (YES, 1), (YES, 2), (NOT_NOW, 1)],
    ids=["no answer", "connected and gone", "gone at the subscription", "not now"],
)
async def test_a_broker_that_hangs_up_before_the_link_stands_is_a_lost_link(
    answers: Mapping[int, bytes], questions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "ANSWER_WITHIN", 0.5)
    async with half_a_broker(answers, questions=questions) as (_, link):
        with pytest.raises(LinkLost):
            await outcome(link)


@pytest.mark.parametrize(
    "refusal", [b"\x20\x03\x00\x84\x00", b"\x20\x02\x00\x01"], ids=["as in MQTT 5", "as in MQTT 3.1.1"]
)
async def test_a_broker_that_refuses_mqtt_5_is_spoken_to_in_3_1_1_from_then_on(
    refusal: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with half_a_broker(YES | {5: refusal}) as (half, link):
        for _ in range(3):
            async with linked(link, Inbox()):
                pass
        assert half.versions == [5, 4, 4, 4]
        half.answers[4] = b"\x20\x02\x00\x05"
        with pytest.raises(LinkRefused, match="Not authorized"):
            await outcome(link)
    assert len(caplog.records) == 1


@pytest.mark.parametrize("answer", [b"", YES[4]], ids=["hangs up", "does not look at the version"])
async def test_a_broker_that_knows_nothing_of_mqtt_5_is_asked_in_3_1_1_at_once(
    answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with half_a_broker(YES | {5: answer}) as (half, link):
        for _ in range(2):
            async with linked(link, Inbox()):
                pass
        assert half.versions == [5, 4, 5, 4]
    assert len(caplog.records) == 1


async def test_a_broker_that_was_down_behind_its_forwarder_is_still_spoken_to_in_mqtt_5() -> None:
    async with half_a_broker(NOTHING) as (half, link):
        for _ in range(2):
            with pytest.raises(LinkLost, match="ended before the broker had answered"):
                await outcome(link)
        half.answers |= YES
        async with linked(link, Inbox()):
            assert half.versions == [5, 4, 5, 4, 5]


async def test_a_broker_that_takes_neither_version_is_a_lost_link() -> None:
    refusal = b"\x20\x02\x00\x01"
    async with half_a_broker({4: refusal, 5: refusal}) as (half, link):
        with pytest.raises(LinkLost):
            await outcome(link)
        assert half.versions == [5, 4]


async def test_all_goes_on_coming_while_nothing_is_acknowledged_and_comes_again_after(broker: Broker) -> None:
    inbox, link = Inbox(acknowledged=50), transport(broker)
    async with linked(link, inbox):
        await broker.publish(TOPIC, *numbered(0, 250))
        assert await inbox.until(250) == numbered(0, 250)
        await until(lambda: broker.acknowledged(IDENTIFIER) == 50)
    # The session outlives its connection, and its broker.
    await broker.publish(TOPIC, *numbered(250, 260))
    broker.stop()
    broker.start()
    again = Inbox()
    async with linked(link, again):
        assert await again.until(210) == numbered(50, 260)
        again.pay()
        await until(lambda: broker.acknowledged(IDENTIFIER) == 260)
        await broker.publish(TOPIC, b"new")
        assert await again.until(211) == [*numbered(50, 260), b"new"]


async def test_a_session_that_began_in_mqtt_3_1_1_is_found_again_in_5(broker: Broker) -> None:
    async with linked(transport(broker, version=ProtocolVersion.V311), Inbox()):
        await broker.publish(TOPIC, *numbered(0, 30))
    again = Inbox()
    async with linked(transport(broker), again):
        assert await again.until(30) == numbered(0, 30)


@VERSIONS
async def test_more_may_have_to_come_again_than_fits_into_the_time_for_an_answer(
    version: ProtocolVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    # mosquitto answers the subscription after all that it owes.
    monkeypatch.setattr(mqtt, "ANSWER_WITHIN", 1)
    inbox = Inbox()
    async with half_a_broker(YES, backlog=10, pause=0.2) as (_, link):
        link._version = version
        async with linked(link, inbox):
            assert await inbox.until(10) == numbered(0, 10)


@pytest.mark.parametrize("window", [WINDOW, 100])
async def test_in_mqtt_3_1_1_what_is_not_acknowledged_waits_in_the_broker(tmp_path: Path, window: int) -> None:
    inbox = Inbox()
    # As it comes, or as its owner has raised it.
    lines = ["log_type all"] if window == WINDOW else ["log_type all", f"max_inflight_messages {window}"]
    with Broker(tmp_path, lines=lines) as broker:
        link = transport(broker, version=ProtocolVersion.V311)
        async with broker.client() as other, linked(link, inbox):
            await other.subscribe(TOPIC, qos=1)
            await broker.publish(TOPIC, *numbered(0, 500))
            async with asyncio.timeout(PATIENCE):
                async for message in other.messages:
                    if message.payload == b"499":
                        break
            # Another subscriber has them all, and this one its window.
            assert await inbox.until(window) == numbered(0, window)
            # mosquitto 2.0 then sends up to a window for each acknowledgement, so that no more is promised than this.
            acknowledged = 0
            while len(inbox.payloads) < 500:
                had = len(inbox.payloads)
                inbox.pay(1)
                acknowledged += 1
                await inbox.until(had + 1)
                assert len(inbox.payloads) <= window * (1 + acknowledged)
            inbox.pay()
            await until(lambda: broker.acknowledged(IDENTIFIER) == 500)
    assert inbox.payloads == numbered(0, 500)


def unsubscribed(broker: Broker) -> int:
    return broker.log().count(f"Received UNSUBSCRIBE from {IDENTIFIER}")


async def test_messages_of_a_topic_that_is_no_longer_the_configured_one_are_dropped(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    old, inbox = "vitals/chair-2/gateway", Inbox()
    async with linked(transport(broker, old), inbox):
        await broker.publish(old, b"in flight")
        await inbox.until(1)
    await broker.publish(old, b"waiting", b"waiting too")
    link, mine = transport(broker), Inbox(acknowledged=99)
    async with linked(link, mine):
        await broker.publish(TOPIC, b"mine")
        assert await mine.until(1) == [b"mine"]
        await until(lambda: broker.acknowledged(IDENTIFIER) == 4)
        await until(lambda: unsubscribed(broker) == 1)
        sent = broker.log().count(f"Sending PUBLISH to {IDENTIFIER}")
        await broker.publish(old, b"another patient's")
        await broker.publish(TOPIC, b"mine too")
        assert await mine.until(2) == [b"mine", b"mine too"]
        assert broker.log().count(f"Sending PUBLISH to {IDENTIFIER}") == sent + 1
    assert [old in record.getMessage() for record in caplog.records] == [True]
    # Nothing of it comes back with the session.
    await broker.publish(old, b"another patient's")
    async with linked(link, mine):
        await broker.publish(TOPIC, b"last")
        assert await mine.until(3) == [b"mine", b"mine too", b"last"]
    assert unsubscribed(broker) == 1


async def test_what_an_old_subscription_with_wildcards_brings_is_dropped_though_it_cannot_be_ended(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    async with linked(transport(broker, "vitals/#"), Inbox()):
        pass
    link, mine = transport(broker, "vitals/chair-1/+"), Inbox(acknowledged=99)
    for number in range(2):
        async with linked(link, mine):
            await broker.publish("vitals/chair-2/gateway", b"another patient's", b"another patient's")
            await broker.publish(TOPIC, b"mine")
            await until(lambda: b"mine" in mine.payloads)
            await until(lambda: unsubscribed(broker) == number + 1)  # noqa: B023 - called here and now
            assert set(mine.payloads) == {b"mine"}
            mine.payloads.clear()
    assert len(caplog.records) == 1


@pytest.mark.parametrize("when", ["before it is noticed", "in the turn that notices", "after"])
async def test_an_acknowledgement_that_comes_too_late_does_no_harm(
    broker: Broker, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    link, inbox = transport(broker), Inbox()
    async with linked(link, inbox) as task:
        await broker.publish(TOPIC, *numbered(0, 6))
        await inbox.until(6)
        inbox.pay(1)
        await until(lambda: broker.acknowledged(IDENTIFIER) == 1)
        broker.stop()
        if when == "before it is noticed":
            inbox.pay(3)
        elif when == "in the turn that notices":
            # What is called soon comes before what the loop then finds on its sockets.
            asyncio.get_running_loop().call_soon(inbox.pay, 3)
        with pytest.raises(LinkLost):
            await asyncio.wait_for(task, PATIENCE)
    inbox.pay(3)
    broker.start()
    again = Inbox()
    async with linked(link, again):
        # The late ones of the old link must not pass for those of the new one.
        inbox.pay()
        assert await again.until(5) == numbered(1, 6)
        again.pay()
        await broker.publish(TOPIC, b"new")
        assert await again.until(6) == [*numbered(1, 6), b"new"]
    assert not caplog.records


@contextlib.asynccontextmanager
async def device(broker: Broker, clock: Clock | None = None) -> AsyncIterator[Collector]:
    clock = clock or SystemClock()
    driver = find("mqtt_json")
    link = make_transport(f"mqtt://127.0.0.1:{broker.port}/{TOPIC}", driver, clock, identifier=IDENTIFIER)
    listener = Collector()
    one = Device("gateway", driver, driver.make_codec(driver.options()), link, listener, clock)
    async with running(one.run()):
        # What is published before the first subscription stands goes nowhere.
        await until(lambda: one._open, "for the link")
        yield listener


def message(number: int) -> str:
    return json.dumps({"time": START + number * NS, "heart_rate": 50 + number})


def heart_rates(listener: Collector) -> list[tuple[int, float | None]]:
    return [
        ((event.observed_at - START) // NS, event.value)
        for event in listener.events
        if isinstance(event, Reading) and event.vital == "heart_rate"
    ]


NO_MESSAGES = {
    "huge": b'{"heart_rate": 72, "note": "' + b"x" * 5_000_000 + b'"}',
    "deep": b"[" * 60_000,
    "no text": b"\xff\xfe\x00",
    "not JSON": b"heart_rate=72",
    "cut off": b'{"heart_rate": 7',
    "no object": b"[72]",
    "nothing known": b'{"hello": 1}',
    "twice": b'{"heart_rate": 72, "heart_rate": 73}',
    "a number of a million digits": b'{"heart_rate": ' + b"9" * 50_000 + b"}",
    "empty": b"",
}


async def test_whatever_is_published_the_next_good_message_is_read(broker: Broker) -> None:
    async with device(broker) as listener:
        for number, payload in enumerate(NO_MESSAGES.values()):
            await broker.publish(TOPIC, payload, message(number))
        last = len(NO_MESSAGES) - 1
        await until(lambda: (last, 50 + last) in heart_rates(listener), f"for the last message: {listener.events}")
        assert heart_rates(listener) == [(number, 50 + number) for number in range(last + 1)]
        shown = [event for event in listener.events if isinstance(event, DeviceStatus) and event.code == "payload"]
        assert shown[0].active
        assert not shown[-1].active
        assert listener.links == [LinkState.RECEIVING]
        for acknowledge in listener.owed:
            acknowledge()
        await until(lambda: broker.acknowledged(IDENTIFIER) == 2 * len(NO_MESSAGES))
    # Those that gave no event are acknowledged too: nothing comes again.
    async with device(broker) as listener:
        await broker.publish(TOPIC, message(99))
        await until(lambda: heart_rates(listener))
        assert heart_rates(listener) == [(99, 149)]


async def test_a_device_outlives_its_broker(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "drivers")
    async with device(broker) as listener:
        for number in range(4):
            await broker.publish(TOPIC, message(number))
            await until(lambda: (number, 50 + number) in heart_rates(listener))  # noqa: B023 - called here and now
            if number < 3:
                broker.save()
                broker.kill()
                await until(lambda: listener.links[-1] is LinkState.LOST)
                broker.start()
        # Nothing was acknowledged, so what came before came again with every new link.
        assert set(heart_rates(listener)) == {(number, 50 + number) for number in range(4)}
        assert listener.links == [LinkState.RECEIVING] + [LinkState.LOST, LinkState.RECEIVING] * 3
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_redelivered_reading_keeps_its_time_even_of_a_device_whose_clock_is_behind(
    broker: Broker, clock: ManualClock
) -> None:
    async def given(first: int, last: int) -> list[tuple[int, float | None]]:
        async with device(broker, clock) as listener:
            for number in range(first, last):
                sent = json.dumps({"time": clock.now_ns() - 40 * NS, "heart_rate": 50 + number})
                await broker.publish(TOPIC, sent)
                await until(lambda: (50 + number) in [value for _, value in heart_rates(listener)])  # noqa: B023
                await clock.advance(1)
            return [(event.observed_at, event.value) for event in listener.events if isinstance(event, Reading)]

    # Nothing is acknowledged, as by a station that was killed before it committed.
    before = await given(0, 15)
    again = await given(15, 16)
    assert again[:15] == before


async def test_a_retained_message_is_no_measurement_of_now(broker: Broker) -> None:
    without_a_time = b'{"heart_rate": 72}'
    inbox = Inbox(acknowledged=9)
    link = transport(broker)
    await broker.publish(TOPIC, without_a_time, retain=True)
    async with linked(link, inbox):
        # What is published while the subscription stands is no retained one, whatever its sender wants of the broker.
        await broker.publish(TOPIC, b"live", retain=True)
        assert await inbox.until(1) == [b"live"]
    await broker.publish(TOPIC, b"kept for the station", retain=True)
    again = Inbox(acknowledged=9)
    async with linked(link, again):
        await broker.publish(TOPIC, b"last")
        assert await again.until(2) == [b"kept for the station", b"last"]


class Hasty(MqttJsonSide):
    period = 0.02


async def test_a_simulated_device_publishes_and_outlives_its_broker(broker: Broker) -> None:
    link, inbox = transport(broker), Inbox(acknowledged=100_000)
    side = Hasty(Patient(), start_ns=START)
    endpoint = MqttEndpoint(side, SystemClock(), f"mqtt://127.0.0.1:{broker.port}/{TOPIC}")
    assert endpoint.address == f"mqtt://127.0.0.1:{broker.port}/{TOPIC}"
    async with running(endpoint.serve()) as simulated:
        async with linked(link, inbox) as task:
            await inbox.until(20)
            broker.kill()
            with pytest.raises(LinkLost):
                await asyncio.wait_for(task, PATIENCE)
        before = len(inbox.payloads)
        broker.start()
        async with linked(link, inbox):
            await inbox.until(before + 20)
        assert not simulated.done()
    times = [json.loads(payload)["time"] for payload in inbox.payloads]
    assert times == sorted(set(times))
    codec = find("mqtt_json").make_codec(find("mqtt_json").options())
    for payload in inbox.payloads:
        assert {event.vital for event in codec.feed(payload, 2 * START) if isinstance(event, Reading)} >= {"spo2"}
    assert codec.counters.rejected == 0
