"""A receiver of HL7 messages over MLLP that does to the next messages what a test says, and takes all the others."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque

from monitor.hl7.message import id_of

BEGINS, ENDS = b"\x0b", b"\x1c\r"


def acknowledgement(name: str, code: str, text: str = "") -> bytes:
    said = f"MSH|^~\\&|EMR|HOSPITAL|||20260921141320||ACK^R01|1|P|2.6\rMSA|{code}|{name}|{text}\r"
    return BEGINS + said.encode() + ENDS


class Receiver:
    """`answers` are for the next messages, one each:

    - `AA`, `CE: reason` and the like: that acknowledgement; `CA+AA` is both of them in one piece
    - `parts`: AA, a few bytes at a time
    - `garbage`: bytes that are no frame, a frame that is no acknowledgement, then AA
    - `another`: AA of another message, and nothing more
    - `late`: AA of another message, then AA
    - `none`: nothing
    - `close`, `half`: the connection is closed without an answer, or in the middle of it
    - `unasked`: AA, and the connection is closed
    """

    def __init__(self) -> None:
        self.answers: deque[str] = deque()
        self.always = "AA"
        self.messages: list[str] = []
        self.connections = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        """Listen, on a free port the first time and on the same one from then on."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close everything."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def first_times(self) -> list[str]:
        """The messages in the order in which each was first received."""
        return list(dict.fromkeys(self.messages))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        try:
            while True:
                frame = await reader.readuntil(ENDS)
                assert frame.startswith(BEGINS)
                message = frame[1:-2].decode()
                self.messages.append(message)
                answer = self.answers.popleft() if self.answers else self.always
                if not await self._answer(writer, id_of(message), answer):
                    return
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, name: str, answer: str) -> bool:
        """Whether the connection goes on."""
        taken = acknowledgement(name, "AA")
        if answer == "parts":
            for place in range(0, len(taken), 7):
                writer.write(taken[place : place + 7])
                await writer.drain()
                await asyncio.sleep(0.001)
        elif answer == "garbage":
            no_acknowledgement = BEGINS + b"MSH|^~\\&|EMR\rZZZ|1\r" + ENDS
            writer.write(
                b"\x00\xff noise \x1c \r\x0b MSH|cut" + BEGINS + b"nothing" + ENDS + no_acknowledgement + taken
            )
        elif answer in {"another", "late"}:
            writer.write(acknowledgement("another", "AA") + (taken if answer == "late" else b""))
        elif answer == "half":
            writer.write(taken[:20])
        elif answer == "unasked":
            writer.write(taken)
        elif answer not in {"none", "close"}:
            for one in answer.split("+"):
                code, _, text = one.partition(": ")
                writer.write(acknowledgement(name, code, text))
        await writer.drain()
        return answer not in {"close", "half", "unasked"}
