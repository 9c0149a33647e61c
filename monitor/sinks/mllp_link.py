"""One connection to a receiver of HL7 messages: MLLP frames over TCP, with TLS or without, and acknowledgements.

A frame is 0x0B, the message, 0x1C 0x0D. What comes between frames is passed over, and so is an acknowledgement of
another message: a late one, say.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

from drivers.errors import SinkBusy, SinkRefused
from monitor.hl7.message import id_of
from monitor.sinks.hl7_settings import Hl7Config, Hl7TlsConfig

_BEGINS, _ENDS = b"\x0b", b"\x1c\r"
_LONGEST = 1 << 20
"""Bytes that an answer may have, with what comes before it."""
_LONGEST_TEXT = 300


class Acknowledgement(NamedTuple):
    """What a receiver says to a message."""

    code: str
    """MSA-1: AA, CA: taken; AE, CE: not taken; AR, CR: refused."""
    of: str
    """MSA-2: the id of the message that it is about."""
    text: str
    """Why, as far as it says."""


class Link:
    """Open from `open` to `close`. Raises SinkBusy and SinkRefused; after either it has to be closed."""

    def __init__(self, where: str, patience: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._where = where
        self._patience = patience
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, config: Hl7Config) -> Link:
        """Connect; the files of TLS are read anew each time."""
        where = address(config)
        context = None if config.tls is None else tls_context(config.tls)
        with _converted(where, config.ack_within):
            async with asyncio.timeout(config.ack_within):
                streams = await asyncio.open_connection(config.host, config.port, ssl=context, limit=_LONGEST)
        return cls(where, config.ack_within, *streams)

    @property
    def broken(self) -> bool:
        """Whether the receiver has closed it meanwhile."""
        return self._reader.at_eof() or self._reader.exception() is not None

    async def exchange(self, message: str) -> Acknowledgement:
        """Send a message, and wait for its acknowledgement."""
        asked = id_of(message)
        others = ""
        with _converted(self._where, self._patience, lambda: others):
            async with asyncio.timeout(self._patience):
                # Text that is no UTF-8 (half of a surrogate pair) never gets into the journal.
                self._writer.write(_BEGINS + message.encode("utf-8", "replace") + _ENDS)
                await self._writer.drain()
                while True:
                    answer = acknowledgement(await self._frame())
                    if answer is None:
                        others = "; what it answers is no acknowledgement"
                    elif answer.of == asked:
                        return answer
                    else:
                        others = f"; it acknowledged {answer.of[:40]!r} instead of {asked!r}"

    async def close(self) -> None:
        """Close it at once, whatever is on the way."""
        self._writer.transport.abort()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _frame(self) -> bytes:
        frame = await self._reader.readuntil(_ENDS)
        # Of what was cut off before it, it is the last beginning that counts.
        return frame[: -len(_ENDS)].rpartition(_BEGINS)[2]


def acknowledgement(frame: bytes) -> Acknowledgement | None:
    """What a frame says; None where it is no acknowledgement."""
    segments = [line for line in re.split(r"[\r\n]+", frame.decode("utf-8", "replace")) if line]
    if not segments or not segments[0].startswith("MSH") or len(segments[0]) < 4:
        return None
    separator = segments[0][3]
    parts = {line[:3]: line.split(separator) for line in reversed(segments)}
    code, of, text = (*parts.get("MSA", [""])[1:4], "", "", "")[:3]
    if code[:1] not in {"A", "C"} or code[1:] not in {"A", "E", "R"}:
        return None
    # ERR-3 is the code of the error, ERR-7 and ERR-8 are its texts.
    error = parts.get("ERR", [])
    said = dict.fromkeys(one for one in (text, *error[3:4], *error[7:9]) if one)
    return Acknowledgement(code, of, " ".join("; ".join(said).split())[:_LONGEST_TEXT])


def address(config: Hl7Config) -> str:
    """For people: where messages go."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"{host}:{config.port}"


def tls_context(config: Hl7TlsConfig) -> ssl.SSLContext:
    """Raises SinkRefused where a file is not what it should be."""
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
        if config.cert_file is not None:
            context.load_cert_chain(config.cert_file, config.key_file)
    except (OSError, ValueError) as error:
        names = ", ".join(name for name in (config.ca_file, config.cert_file, config.key_file) if name)
        raise SinkRefused(f"hl7.tls: {names}: {_reason(error)}") from error
    return context


@contextlib.contextmanager
def _converted(where: str, patience: float, others: object = None) -> Iterator[None]:
    """Turn what the operating system and asyncio raise into the project's errors."""
    try:
        yield
    except TimeoutError as error:
        seen = others() if callable(others) else ""
        raise SinkBusy(f"HL7 receiver {where}: no answer for {patience:g} s{seen}") from error
    except asyncio.LimitOverrunError as error:
        raise SinkBusy(f"HL7 receiver {where}: its answer does not end") from error
    except EOFError as error:
        raise SinkBusy(f"HL7 receiver {where}: it closed the connection instead of an acknowledgement") from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        raise SinkBusy(f"HL7 receiver {where}: it broke off TLS") from error
    except ssl.SSLError as error:
        raise SinkRefused(f"HL7 receiver {where}: TLS: {_reason(error)}") from error
    except OSError as error:
        raise SinkBusy(f"HL7 receiver {where}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{error.verify_message}: is its authority in `ca_file`?"
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    if isinstance(error, socket.gaierror) or not isinstance(error, OSError) or error.errno is None:
        return " ".join(str(getattr(error, "strerror", None) or error).split())
    # In place of asyncio's own words, which have the address once more.
    return os.strerror(error.errno)
