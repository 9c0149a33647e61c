"""Monitors that publish to an MQTT broker. Nothing is acknowledged before it has been committed.

QoS 1 with a persistent session: what the station had not acknowledged when it died, the broker sends again. aiomqtt
acknowledges by itself as soon as a message has arrived, which would lose what was not yet written; it has no public
switch for that (its issue 345), so the calls on its inner paho client are made here and nowhere else, and tests hold
them.

What a broker has retained is left out: it is the last value that somebody once sent, given out at every new link, and
where it does not tell its own time it would pass for one of now. A message published while the station is away comes
by the session all the same, whether it was to be retained or not.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import aiomqtt
from aiomqtt.exceptions import MqttConnectError

from drivers.errors import LinkLost, LinkRefused
from drivers.transports.base import Receiver, Transport

if TYPE_CHECKING:
    import paho.mqtt.client as paho

KEEPALIVE = 15
"""Seconds without a sign of life after which the broker is asked for one; without an answer, the link is given up after
as many again."""
ANSWER_WITHIN = 5.0
"""Seconds for the broker's answer to connecting and to subscribing. aiomqtt does not notice that the other side hangs
up before it has answered, as a port forwarder does whose broker is down: such an attempt takes this long."""

_REFUSED = {132, 133, 134, 135}
"""Answers to connecting that trying again cannot help: version, identifier, credentials, authorisation (MQTT 3.1.1
section 3.2.2.3, in the numbers of MQTT 5, which paho uses for both)."""
_FAILURE = 128
"""The answer to subscribing that refuses it, and all above (MQTT 3.1.1 section 3.9.3)."""


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

    async def run(self, receiver: Receiver) -> None:
        """Connect, subscribe and deliver each message; see `Transport.run`."""
        try:
            async with self._client() as client:
                await self._subscribe(client)
                receiver.opened()
                async for message in client.messages:
                    acknowledge = _acknowledgement(client, message.mid, message.qos)
                    if message.retain:
                        acknowledge()
                    else:
                        receiver.received(_bytes(message.payload), acknowledge)
        except MqttConnectError as error:
            kind = LinkRefused if _code(error.rc) in _REFUSED else LinkLost
            raise kind(f"{self.address}: {error}") from error
        except (aiomqtt.MqttError, OSError) as error:
            # What connecting raised is the context, not the cause, of the error that aiomqtt makes of it.
            for cause in (error, error.__context__):
                if isinstance(cause, ssl.SSLCertVerificationError):
                    raise LinkRefused(
                        f"{self.address}: the broker's certificate is not trusted: {cause.verify_message}"
                    ) from error
            raise LinkLost(f"{self.address}: {error}") from error

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        try:
            answers = await client.subscribe(self._topic, qos=1)
        except ValueError as error:
            raise LinkRefused(f"{self.address}: {self._topic!r} is nothing to subscribe to: {error}") from error
        if any(_code(answer) >= _FAILURE for answer in answers):
            raise LinkRefused(f"{self.address}: the broker does not allow this subscription")

    def _client(self) -> aiomqtt.Client:
        settings = self._settings
        context = None
        if self._tls:
            try:
                context = ssl.create_default_context(cafile=settings.ca_file)
                if settings.cert_file:
                    context.load_cert_chain(settings.cert_file, settings.key_file)
            except OSError as error:
                raise LinkRefused(f"{self.address}: certificate file: {error}") from error
        client = aiomqtt.Client(
            self._host,
            self._port,
            username=settings.username,
            password=settings.password,
            identifier=self._identifier,
            clean_session=False,
            keepalive=KEEPALIVE,
            timeout=ANSWER_WITHIN,
            tls_context=context,
        )
        client._client.manual_ack_set(True)  # noqa: SLF001 - see the module's docstring
        client._client.on_socket_register_write = _watcher(asyncio.get_running_loop())  # noqa: SLF001 - likewise
        return client

    def _write(self, data: bytes) -> None:
        """An MQTT device has no requests: `Transport.send` has refused already."""


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
