"""Tells the clinic's own systems, over their MQTT broker, how things stand: retained, so who asks later is told too.

Changes can be told as they happen too, not retained. What the broker is to say should the station be gone (a last will)
it is told when the link is made.

They are told here, and no device ever is: what is linked to devices over MQTT, `MqttTransport`, publishes nothing,
ever, and nothing that a device understands is published here.

A topic says what is so now. What changed while there was no link is therefore not kept: it would come late, and in
part, and what is so by then is said at the next link. MQTT 3.1.1 with a clean session: every broker speaks it, and
nothing of an earlier link is worth keeping.

An end of the link in order has the broker forget the will. So only an orderly end of the station is one: a link that is
given up is cut, on aiomqtt's inner paho client, as it has no public call for that either.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

import aiomqtt

from drivers.backoff import grown
from drivers.errors import InfusionMonitorError, LinkLost, LinkRefused
from drivers.transports.factory import mqtt_address
from drivers.transports.mqtt import MqttSettings, connected, link_error, new_client

PUBLISHING, WAITING, STOPPED = "publishing", "waiting", "stopped"

FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0
"""Seconds: the delay before another attempt doubles from the one to the other, and is shortened at random by up to half
of it."""
REFUSED_DELAY = 60.0
"""Seconds between two attempts while a person is needed: a password that was mended at the broker needs no restart."""
MOST_WAITING = 1_000
"""Messages that wait for a slow broker; beyond them the oldest go."""
TAKEN_WITHIN = 15.0
"""Seconds for the broker to take a message; without an answer the link is given up."""
LAST_WORDS = 1.0
"""Seconds that the end waits for what was given before it, and for what is said last."""
FAILING = 30.0
"""Seconds without a link before that is a failure: a broker that is started again is back sooner."""

_log = logging.getLogger(__name__)


class Message(NamedTuple):
    """What is said on a topic."""

    topic: str
    payload: bytes
    retain: bool = True


class Publisher:
    """Publishes to `url`, `mqtt://HOST[:PORT][/PREFIX]` or `mqtts://`, under `PREFIX/`, with QoS 1.

    `present` gives every topic with what is so now; it is asked at each new link. A topic that it leaves out stays at
    the broker as it is: what is over needs a message that says so, or an empty one, which removes the topic there.
    `identifier` is the client's: another client with the same one takes its link away. `will` is what the broker says
    when the link ends in any way but by an orderly end of `run`, which says `last_words` instead. Raises `ValueError`
    where `url` is none of a broker.
    """

    def __init__(
        self,
        url: str,
        settings: MqttSettings,
        identifier: str,
        present: Callable[[], Mapping[str, bytes]],
        *,
        will: Message | None = None,
        last_words: Callable[[], Mapping[str, bytes]] = dict,
    ) -> None:
        self._broker = mqtt_address(url)
        prefix = self._broker.path.strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        scheme = "mqtts" if self._broker.tls else "mqtt"
        self._address = f"{scheme}://{self._broker.host}:{self._broker.port}/{prefix}"
        self._settings = settings
        self._identifier = identifier
        self._present = present
        self._will = will
        self._last_words = last_words
        self._waiting: deque[Message] = deque(maxlen=MOST_WAITING)
        self._given = asyncio.Event()
        self._linked = False
        self._missed = False
        self._ending = False
        self._failures = 0
        self._since = 0.0
        self._failing_since: float | None = None
        self._said: type[Exception] | None = None
        self.state = WAITING
        """`publishing`, `waiting` for the broker, or `stopped` until a person has mended something."""
        self.detail = ""
        """Why it waits or stopped, for people; never a secret. Empty before the first attempt."""

    @property
    def health(self) -> str:
        """Why nobody is told; empty while the link stands, and for its first `FAILING` seconds without it."""
        since = self._failing_since
        if self.state == STOPPED or (since is not None and asyncio.get_running_loop().time() - since >= FAILING):
            return self.detail
        return ""

    def publish(self, topic: str, payload: bytes, *, retain: bool = True) -> None:
        """Say that `topic` has become `payload`. To be called on the event loop; never waits and never raises.

        Without a link it is dropped: `present` says it at the next one. What is not to be retained is not what the
        topic has become but what happened, and is not said any more then.
        """
        if not self._linked:
            return
        self._missed = self._missed or len(self._waiting) == MOST_WAITING
        self._waiting.append(Message(topic, payload, retain))
        self._given.set()

    async def run(self) -> None:
        """Publish until cancelled; what was given before that is still sent, if the link stands and takes it soon."""
        while True:
            delay = await self._turn()
            await asyncio.sleep(delay)

    async def _turn(self) -> float:
        """Publish for as long as the link stands; gives the seconds until the next attempt."""
        try:
            await self._publish_over_link()
        except LinkRefused as error:
            self._failed(STOPPED, str(error), error)
            return REFUSED_DELAY
        except LinkLost as error:
            self._failed(WAITING, str(error), error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the station records on and this tries on
            self._failed(WAITING, f"{self._address}: unexpected error: {type(error).__name__}: {error}", error)
        return self._delay()

    async def _publish_over_link(self) -> None:
        broker = self._broker
        client = new_client(
            self._address,
            broker.host,
            broker.port,
            tls=broker.tls,
            identifier=self._identifier,
            settings=self._settings,
            session={"protocol": aiomqtt.ProtocolVersion.V311, "clean_session": True, "will": self._last_will()},
        )
        try:
            async with connected(client):
                await self._work(client)
        except (aiomqtt.MqttError, OSError) as error:
            raise link_error(self._address, error) from error

    async def _work(self, client: aiomqtt.Client) -> None:
        """Publish until the link breaks, which raises `aiomqtt.MqttError`."""
        self._ending = False
        # A message that waits to be taken would not notice the end of the link.
        tasks = [asyncio.ensure_future(_until_gone(client)), asyncio.ensure_future(self._publish_all(client))]
        in_order = False
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except asyncio.CancelledError:
            self._ending = True
            self._given.set()
            done, _ = await asyncio.wait(tasks, timeout=LAST_WORDS, return_when=asyncio.FIRST_COMPLETED)
            in_order = tasks[1] in done and tasks[1].exception() is None
            raise
        finally:
            self._linked = False
            if self._will and not in_order:
                client._client._sock_close()  # noqa: SLF001 - see the module's docstring
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _publish_all(self, client: aiomqtt.Client) -> None:
        """Publish what is so, then each change, one after the other; returns when all is said at the end."""
        self._waiting.clear()
        self._linked = True
        while True:
            self._missed = False
            for topic, payload in tuple(self._present().items()):
                await self._put(client, Message(topic, payload))
            self._succeeded()
            while self._waiting or not (self._missed or self._ending):
                if self._waiting:
                    await self._put(client, self._waiting.popleft())
                else:
                    self._given.clear()
                    await self._given.wait()
            # A topic whose last change was among those that went has an older value at the broker: all is said again.
            if not self._missed:
                break
        for topic, payload in self._last_words().items():
            await self._put(client, Message(topic, payload))

    async def _put(self, client: aiomqtt.Client, message: Message) -> None:
        topic = f"{self._prefix}{message.topic}"
        await client.publish(topic, message.payload, qos=1, retain=message.retain, timeout=TAKEN_WITHIN)

    def _last_will(self) -> aiomqtt.Will | None:
        if self._will is None:
            return None
        return aiomqtt.Will(f"{self._prefix}{self._will.topic}", self._will.payload, qos=1, retain=self._will.retain)

    def _succeeded(self) -> None:
        if self.state != PUBLISHING:
            self._since = asyncio.get_running_loop().time()
        self.state, self.detail, self._failing_since = PUBLISHING, "", None
        if self._said:
            _log.warning("%s: the clinic's systems are told again", self._address)
        self._said = None

    def _failed(self, state: str, detail: str, error: Exception) -> None:
        # A link that is taken away as soon as it stands is asked for more and more slowly.
        if self.state == PUBLISHING and asyncio.get_running_loop().time() - self._since >= LONGEST_DELAY:
            self._failures = 0
        self.state, self.detail = state, detail
        if self._failing_since is None:
            self._failing_since = asyncio.get_running_loop().time()
        if type(error) is not self._said:
            level = logging.ERROR if state == STOPPED else logging.WARNING
            trace = None if isinstance(error, InfusionMonitorError) else error
            _log.log(level, "the clinic's systems are not told: %s", detail, exc_info=trace)
        self._said = type(error)

    def _delay(self) -> float:
        longest = grown(FIRST_DELAY, LONGEST_DELAY, self._failures)
        self._failures += 1
        return random.uniform(longest / 2, longest)  # noqa: S311 - it spreads attempts, it hides nothing


async def _until_gone(client: aiomqtt.Client) -> None:
    """Wait for the end of the link, which raises `aiomqtt.MqttError`; what comes is not for this client."""
    async for _ in client.messages:
        pass
