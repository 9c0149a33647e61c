"""The sink for HL7 receivers: one message at a time, each until it is acknowledged.

| acknowledgement | what it means | what is done |
|---|---|---|
| AA, CA | it is taken | go on |
| AR, CR | it is refused for what it is | a dead letter; go on |
| AE, CE | it was not taken, for now or for ever | try again with growing delays; after `TRIES` of them a dead letter |
| none in time, of another message, no connection | nobody knows | SinkBusy: connect anew and send it again |
| none, and a connection that was used before is closed | likewise | connect anew and send it again, at once |

A message has the same id whenever it is sent, by which a receiver knows one that it has. What was acknowledged of a
portion is remembered until all of it is, so that one that broke off goes on where it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from drivers.errors import SinkBusy
from monitor.hl7.message import id_of
from monitor.sinks.hl7_portion import Portions
from monitor.sinks.hl7_settings import Hl7Config
from monitor.sinks.mllp_link import Acknowledgement, Link, address
from monitor.sinks.sink import Sent
from monitor.storage.backlog import Portion

TRIES = 5
"""How often a message is sent whose receiver answers that it could not take it."""


class MllpSink:
    """Sends to the receiver of that configuration what the journal in `data_dir` has.

    All calls come from one event loop, one at a time.
    """

    name = "hl7"

    def __init__(self, config: Hl7Config, site: str, data_dir: Path) -> None:
        self._config = config
        self._portions = Portions(config, site, data_dir)
        self._link: Link | None = None
        self._settled: dict[str, str] = {}
        self._errors: Counter[str] = Counter()

    async def send(self, portion: Portion) -> Sent:
        """Send all that is told of the portion."""
        return await self._send(self._portions.messages(portion), TRIES)

    async def send_lines(self, lines: Iterable[str]) -> Sent:
        """Send messages that were refused before; one that is refused again has had its tries."""
        return await self._send(lines, 1)

    async def close(self) -> None:
        """Close the connection; the next call opens another."""
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    async def _send(self, messages: Iterable[str], tries: int) -> Sent:
        refused = []
        for message in messages:
            name = id_of(message)
            if name not in self._settled:
                self._settled[name] = await self._deliver(name, message, tries)
            if reason := self._settled[name]:
                refused.append((message, reason))
        self._settled.clear()
        self._errors.clear()
        return Sent(refused, 0)

    async def _deliver(self, name: str, message: str, tries: int) -> str:
        """Why the receiver refuses it; empty where it has it. Raises SinkBusy and SinkRefused."""
        answer = await self._exchanged(message)
        if answer.code[1:] == "A":
            return ""
        reason = f"{answer.code}{f': {answer.text}' if answer.text else ''}"
        if answer.code[1:] == "R":
            return reason
        self._errors[name] += 1
        if self._errors[name] >= tries:
            return reason if tries == 1 else f"{reason} ({tries} times)"
        raise SinkBusy(f"HL7 receiver {address(self._config)} answers {reason}")

    async def _exchanged(self, message: str) -> Acknowledgement:
        used = self._link is not None
        try:
            return await (await self._opened()).exchange(message)
        except SinkBusy:
            if not (used and self._link is not None and self._link.broken):
                await self.close()
                raise
        except BaseException:
            # What is still on its way must not be taken for the answer to the next message.
            await self.close()
            raise
        # Some receivers close after each acknowledgement: that they did may be seen only now.
        await self.close()
        return await self._exchanged(message)

    async def _opened(self) -> Link:
        if self._link is not None and self._link.broken:
            await self.close()
        if self._link is None:
            self._link = await Link.open(self._config)
        return self._link
