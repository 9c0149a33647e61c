"""Monitors that publish to an MQTT broker. Nothing is acknowledged before it has been committed.

QoS 1 with a persistent session: what the station had not acknowledged when it died, the broker sends again. aiomqtt
acknowledges by itself as soon as a message has arrived, which would lose what was not yet written; it has no public
switch for that (its issue 345), so the two calls on its inner paho client are made here and nowhere else, and a test
holds them.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import aiomqtt

from drivers.errors import LinkLost, LinkRefused
from drivers.transports.base import Receiver, Transport

KEEPALIVE = 15
"""Seconds; a broker that vanished is noticed within one and a half of them."""

_REFUSED = {1, 2, 4, 5, 128, 132, 133, 134, 135}
"""Connect and subscribe answers that trying again cannot help: version, identifier, credentials, authorisation
(MQTT 3.1.1 section 3.2.2.3; 128 and above as MQTT 5, whose numbers paho uses for both)."""


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
            client = self._client()
            async with client:
                answers = await client.subscribe(self._topic, qos=1)
                if any(_code(answer) >= 128 for answer in answers):
                    raise LinkRefused(f"{self.address}: the broker does not allow this subscription")
                receiver.opened()
                async for message in client.messages:
                    receiver.received(_bytes(message.payload), _acknowledgement(client, message))
        except aiomqtt.MqttCodeError as error:
            if _code(error.rc) in _REFUSED:
                raise LinkRefused(f"{self.address}: {error}") from error
            raise LinkLost(f"{self.address}: {error}") from error
        except ssl.SSLCertVerificationError as error:
            raise LinkRefused(
                f"{self.address}: the broker's certificate is not trusted: {error.verify_message}"
            ) from error
        except (aiomqtt.MqttError, OSError) as error:
            cause = error.__cause__ or error
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise LinkRefused(f"{self.address}: the broker's certificate is not trusted") from error
            raise LinkLost(f"{self.address}: {error}") from error

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
            tls_context=context,
        )
        client._client.manual_ack_set(True)  # noqa: SLF001 - see the module's docstring
        return client

    def _write(self, data: bytes) -> None:
        """An MQTT device has no requests: `Transport.send` has refused already."""


def _acknowledgement(client: aiomqtt.Client, message: aiomqtt.Message) -> Callable[[], None]:
    def acknowledge() -> None:
        # A link that broke in between has forgotten the message; the broker sends it again on the next one.
        client._client.ack(message.mid, message.qos)  # noqa: SLF001 - see the module's docstring

    return acknowledge


def _bytes(payload: object) -> bytes:
    return payload if isinstance(payload, bytes) else str(payload).encode()


def _code(answer: object) -> int:
    value = getattr(answer, "value", answer)
    return value if isinstance(value, int) else 0
