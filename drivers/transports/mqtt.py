"""Monitors that publish to an MQTT broker. Nothing is acknowledged before it has been committed.

QoS 1 with a persistent session: what the station had not acknowledged when it died, the broker sends again. aiomqtt
acknowledges by itself as soon as a message has arrived, which would lose what was not yet written; it has no public
switch for that (its issue 345), so the calls on its inner paho client are made here, and tests hold them. (There is one
more in `monitor.notify.mqtt`, which cuts a link that has a last will.)

MQTT 5, because only there a client says how much it takes without acknowledging it: while the disk refuses commits
nothing is acknowledged, and a broker that waits for acknowledgements would leave the page and the alerts without
values. A broker that does not know it is spoken to in 3.1.1 and keeps its own window.

The session keeps every subscription that was ever made under its identifier. What comes by one of an earlier
configuration may be another patient's, so that only messages of the configured topic are delivered.

What a broker has retained is left out: it is the last value that somebody once sent, given out at every new link, and
where it does not tell its own time it would pass for one of now. A message published while the station is away comes
by the session all the same, whether it was to be retained or not.

Who publishes to the clinic's own systems (`monitor.notify`) connects as a device's transport does, by the public
functions below.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from drivers.errors import LinkLost, LinkRefused
from drivers.transports.base import Receiver, Transport

if TYPE_CHECKING:
    import paho.mqtt.client as paho
    from paho.mqtt.reasoncodes import ReasonCode

log = logging.getLogger(__name__)

KEEPALIVE = 15
"""Seconds without a sign of life after which the broker is asked for one; without an answer, the link is given up after
as many again."""
ANSWER_WITHIN = 5.0
"""Seconds for the broker's answer to connecting and to subscribing, in which nothing else comes either."""
IN_FLIGHT = 65_535
"""Messages that the broker may send without having been acknowledged one: the most that MQTT 5 can ask for, 18 hours of
one a second."""
SESSION_LASTS = 7 * 24 * 3600
"""Seconds that the broker keeps the session of a station that is away: over a closed week, and not for ever, as the
sessions of devices that are no more fill the broker. Without a number a session of MQTT 5 ends with its connection."""

_VERSION = 132
"""The answer of a broker that does not know MQTT 5, in which paho also reads the one that it gives in 3.1.1."""
_REFUSED = {_VERSION, 133, 134, 135, 138, 157}
"""Answers to connecting that trying again cannot help: version, identifier, credentials, authorisation, banned, moved
(MQTT 5 section 3.2.2.2; paho uses its numbers for 3.1.1 too)."""
_FAILURE = 128
"""The answer to subscribing that refuses it, and all above (MQTT 5 section 3.9.3)."""
_TOPICS = 100
"""Foreign topics that are remembered: an old subscription with wildcards may bring any number."""


class _NoAnswer(aiomqtt.MqttError):
    """The connection ended before the broker's answer was understood."""


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """How to reach the clinic's broker."""

    username: str | None = None
    password: str | None = None
    client_id: str = "infusion-monitor"
    """Prefix of the client identifiers: each device's session has its own, made of this, its bed and its name."""
    ca_file: Path | None = None
    """Trusted authority of the broker's certificate; the system's ones where it is None."""
    cert_file: Path | None = None
    key_file: Path | None = None


class MqttTransport(Transport):
    """One subscription. Publishes nothing, ever: MQTT devices are never asked."""

    def __init__(
        self,
        host: str,
        port: int,
        topic: str,
        *,
        tls: bool,
        identifier: str,
        settings: MqttSettings,
        requests: Collection[bytes] = (),
    ) -> None:
        super().__init__(f"{'mqtts' if tls else 'mqtt'}://{host}:{port}/{topic}", requests)
        self._host = host
        self._port = port
        self._topic = topic
        self._tls = tls
        self._identifier = identifier
        self._settings = settings
        self._version = aiomqtt.ProtocolVersion.V5
        self._said_version = False
        self._said_foreign: set[str] = set()

    async def run(self, receiver: Receiver) -> None:
        """Connect, subscribe and deliver each message; see `Transport.run`."""
        try:
            async with contextlib.AsyncExitStack() as link:
                client = await self._connect(link)
                await self._subscribe(client)
                receiver.opened()
                unsubscribed: set[str] = set()
                straight = self._straight_to(receiver, client)
                async for message in client.messages:
                    acknowledge = _acknowledgement(client, message.mid, message.qos)
                    if not message.topic.matches(self._topic):
                        acknowledge()
                        await self._unsubscribe(client, message.topic.value, unsubscribed)
                    elif message.retain:
                        acknowledge()
                    else:
                        receiver.received(_bytes(message.payload), acknowledge)
                    if not len(client.messages):
                        # None waits that a new one could overtake.
                        client._client.on_message = straight  # noqa: SLF001 - see the module's docstring
        except (aiomqtt.MqttError, OSError) as error:
            raise link_error(self.address, error) from error

    def _straight_to(self, receiver: Receiver, client: aiomqtt.Client) -> paho.CallbackOnMessage:
        """What delivers a message in the loop's read callback.

        aiomqtt makes a task and a turn of the loop for each. Only what is not to be delivered goes its way.
        """

        def received(inner: paho.Client, data: object, message: paho.MQTTMessage) -> None:
            if message.retain or message.topic != self._topic:
                client._on_message(inner, data, message)  # noqa: SLF001 - see the module's docstring
            else:
                receiver.received(bytes(message.payload), _acknowledgement(client, message.mid, message.qos))

        return received

    async def _connect(self, link: contextlib.AsyncExitStack) -> aiomqtt.Client:
        """Connect in the newest version of MQTT that the broker speaks."""
        if self._version is aiomqtt.ProtocolVersion.V5:
            try:
                return await link.enter_async_context(self._client(self._version))
            except MqttConnectError as error:
                if _code(error.rc) != _VERSION:
                    raise
                self._version = aiomqtt.ProtocolVersion.V311
            except _NoAnswer:
                # So do old brokers that are asked in MQTT 5, and port forwarders whose broker is down. Asked at once in
                # 3.1.1 the former answer; it is not remembered, as the latter may have got their broker in between.
                pass
        client = await link.enter_async_context(self._client(aiomqtt.ProtocolVersion.V311))
        if not self._said_version:
            self._said_version = True
            log.warning(
                "%s: no MQTT 5: while nothing can be committed, values end at the broker's window", self.address
            )
        return client

    async def _unsubscribe(self, client: aiomqtt.Client, topic: str, done: set[str]) -> None:
        """End a subscription of an earlier configuration; `done` are the topics for which this link has tried."""
        if topic in done or len(done) >= _TOPICS:
            return
        done.add(topic)
        if topic not in self._said_foreign and len(self._said_foreign) < _TOPICS:
            self._said_foreign.add(topic)
            log.warning(
                "%s: dropped a message of %r: the session had an earlier subscription, which is ended now",
                self.address,
                topic,
            )
        # One with wildcards stays: a message does not tell by which it came, and is dropped all the same.
        await client.unsubscribe(topic)

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        asking = asyncio.ensure_future(client.subscribe(self._topic, qos=1, timeout=math.inf))
        try:
            # The answer comes after all that was unacknowledged, which may take longer than any answer should.
            came = -1
            while not asking.done() and len(client.messages) > came:
                came = len(client.messages)
                await asyncio.wait([asking], timeout=ANSWER_WITHIN)
            if not asking.done():
                raise LinkLost(f"{self.address}: the broker does not answer the subscription")
            answers = await asking
        except ValueError as error:
            raise LinkRefused(f"{self.address}: {self._topic!r} is nothing to subscribe to: {error}") from error
        finally:
            asking.cancel()
        for answer in answers:
            if _code(answer) >= _FAILURE:
                raise LinkRefused(f"{self.address}: the broker does not allow this subscription: {answer}")

    def _client(self, version: aiomqtt.ProtocolVersion) -> aiomqtt.Client:
        client = new_client(
            self.address,
            self._host,
            self._port,
            tls=self._tls,
            identifier=self._identifier,
            settings=self._settings,
            session=_session(version),
        )
        client._client.manual_ack_set(True)  # noqa: SLF001 - see the module's docstring
        return client

    def _write(self, data: bytes) -> None:
        """An MQTT device has no requests: `Transport.send` has refused already."""


def new_client(
    address: str,
    host: str,
    port: int,
    *,
    tls: bool,
    identifier: str,
    settings: MqttSettings,
    session: Mapping[str, Any],
) -> aiomqtt.Client:
    """A client that is still to be connected, with two faults of aiomqtt mended: see `_watcher` and `_hang_up`.

    `address` is what errors call the broker; `session` is what asks for the protocol's version and its session. Raises
    `LinkRefused` where a certificate file cannot be read.
    """
    client = aiomqtt.Client(
        host,
        port,
        username=settings.username,
        password=settings.password,
        identifier=identifier,
        **session,
        keepalive=KEEPALIVE,
        timeout=ANSWER_WITHIN,
        tls_context=_tls_context(address, settings) if tls else None,
    )
    client._client.on_socket_register_write = _watcher(asyncio.get_running_loop())  # noqa: SLF001 - see the module's docstring
    client._client.on_disconnect = _hang_up(client, asyncio.get_running_loop())  # noqa: SLF001 - likewise
    return client


@contextlib.asynccontextmanager
async def connected(client: aiomqtt.Client) -> AsyncIterator[None]:
    """Connect, and end the connection at once and in order when the block ends.

    aiomqtt's own end waits for a broker that hangs, raises over the cancellation that it was to make way for, and
    leaves the connection open where that comes before the broker's answer. Raises as `aiomqtt.Client` does.
    """
    inner = client._client  # noqa: SLF001 - see the module's docstring
    try:
        await client.__aenter__()
        try:
            yield
        finally:
            inner.disconnect()
            inner.loop_write()
    finally:
        inner._sock_close()  # noqa: SLF001 - likewise


def link_error(address: str, error: aiomqtt.MqttError | OSError) -> LinkLost | LinkRefused:
    """What a failure to connect, or of the connection, means: `LinkRefused` where only a person can help."""
    if isinstance(error, MqttConnectError):
        return (LinkRefused if _code(error.rc) in _REFUSED else LinkLost)(f"{address}: {error}")
    # What connecting raised is the context, not the cause, of the error that aiomqtt makes of it.
    for cause in (error, error.__context__):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return LinkRefused(f"{address}: the broker's certificate is not trusted: {cause.verify_message}")
    return LinkLost(f"{address}: {error}")


def _tls_context(address: str, settings: MqttSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except OSError as error:
        raise LinkRefused(f"{address}: certificate file: {error}") from error
    return context


def _session(version: aiomqtt.ProtocolVersion) -> dict[str, Any]:
    """What asks for the session that was; each version takes only its own words for that."""
    if version is not aiomqtt.ProtocolVersion.V5:
        return {"protocol": version, "clean_session": False}
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no type for it
    properties.ReceiveMaximum = IN_FLIGHT
    properties.SessionExpiryInterval = SESSION_LASTS
    return {"protocol": version, "clean_start": False, "properties": properties}


def _hang_up(client: aiomqtt.Client, loop: asyncio.AbstractEventLoop) -> paho.CallbackOnDisconnect_v2:
    """What paho tells of the end of a connection.

    aiomqtt's own leaves out an end before the broker's answer and waits for the answer as long as ever.
    """

    def ended(
        inner: paho.Client,
        data: object,
        flags: paho.DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        client._on_disconnect(inner, data, flags, reason, properties)  # noqa: SLF001 - see the module's docstring
        answer = client._connected  # noqa: SLF001 - likewise

        def give_up() -> None:
            if not answer.done():
                answer.set_exception(_NoAnswer("the connection ended before the broker had answered"))
                # Nobody asks for it where connecting has failed by itself.
                answer.exception()

        # While it connects, the client is in another thread.
        loop.call_soon_threadsafe(give_up)

    return ended


def _watcher(loop: asyncio.AbstractEventLoop) -> Callable[[paho.Client, object, paho.SocketLike], None]:
    """What has the loop write a client's packets.

    aiomqtt's own tells the loop the number of a descriptor, a turn later. Where an acknowledgement comes in the very
    turn in which the link breaks, that one is closed by then, or has become another device's.
    """

    def watch(client: paho.Client, _: object, link: paho.SocketLike) -> None:
        def begin() -> None:
            if link.fileno() >= 0:
                loop.add_writer(link.fileno(), client.loop_write)

        # While it connects, the client is in another thread.
        loop.call_soon_threadsafe(begin)

    return watch


def _acknowledgement(client: aiomqtt.Client, mid: int, qos: int) -> Callable[[], None]:
    # Not of the message: many may wait for their commit, and none need keep its payload until then.
    def acknowledge() -> None:
        # A link that broke in between has forgotten the message; the broker sends it again on the next one.
        client._client.ack(mid, qos)  # noqa: SLF001 - see the module's docstring

    return acknowledge


def _bytes(payload: object) -> bytes:
    return payload if isinstance(payload, bytes) else str(payload).encode()


def _code(answer: object) -> int:
    value = getattr(answer, "value", answer)
    return value if isinstance(value, int) else 0
