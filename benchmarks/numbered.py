"""A device that numbers its frames by their values and tells when each was written, and a station in this process.

The device is a process of its own (this module as a program) on a pseudo-terminal; both read the same monotonic clock.
It is told one line of JSON after the other and answers each with one: what it is -> the port's address; how many frames
to write -> when each was written, and what it says. Its end of input ends it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
import tty
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Self

from benchmarks.lines import wait_for_ports
from benchmarks.streams import USB_READ, Kind
from monitor.station import Station
from simulators.device_side import make_side
from simulators.patient import Patient

Key = tuple[int, int]
"""Pulse rate and SpO2 of a frame."""


class Written(NamedTuple):
    """One frame."""

    at: float
    """`perf_counter` before the write of its last part."""
    key: Key


class Numbered:
    """The device, from the measuring side: frames say each of `keys` in turn, again and again."""

    def __init__(self, kind: Kind, keys: Sequence[Key]) -> None:
        self._what = [kind, keys]

    async def __aenter__(self) -> Self:
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.numbered",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        self.address: str = await self._tell(self._what)
        return self

    async def __aexit__(self, *_: object) -> None:
        # communicate closes its input, which ends it.
        await self._child.communicate(b"")

    async def write(self, frames: int) -> list[Written]:
        """Have it write so many frames; gives them once they are written."""
        return [Written(at, tuple(key)) for at, key in await self._tell(frames)]

    async def _tell(self, what: object) -> Any:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(what).encode() + b"\n")
        return json.loads(await self._child.stdout.readline())


@asynccontextmanager
async def running(station: Station, addresses: Iterable[str]) -> AsyncIterator[None]:
    """The station on this loop, from when it has these ports open until it has closed its journal."""
    await station.open()
    stop = asyncio.Event()
    task = asyncio.create_task(station.run(stop))
    try:
        await asyncio.to_thread(wait_for_ports, os.getpid(), addresses)
        yield
    finally:
        stop.set()
        await task


class _Patient(Patient):
    """A patient whose pulse and saturation are those of a key."""

    key: Key = (0, 0)

    def heart_rate(self, t: float) -> float:  # noqa: ARG002 - the patient's signature
        """Beats per minute."""
        return self.key[0]

    def spo2(self, t: float) -> float:  # noqa: ARG002 - the patient's signature
        """Percent."""
        return self.key[1]


def _be_the_device() -> None:
    what, keys = json.loads(sys.stdin.readline())
    kind = Kind(*what)
    master, slave = os.openpty()
    tty.setraw(slave)
    print(json.dumps(os.ttyname(slave)), flush=True)
    patient = _Patient(seed=1)
    patient.key = keys[0]
    side = make_side(kind.driver, patient, kind.options)
    in_packet = 25 if side.period < 1 else 1
    draw = random.Random(2)
    number = 0
    for line in sys.stdin:
        written = []
        for _ in range(int(line)):
            patient.key = keys[number % len(keys)]
            now = number * in_packet * side.period
            number += 1
            parts = [side.tick(now) for _ in range(in_packet)]
            last = parts.pop()[-USB_READ:] if in_packet > 1 else parts[0][-USB_READ:]
            head = b"".join(parts) if in_packet > 1 else parts[0][: -len(last)]
            if head:
                os.write(master, head)
            # Never in step with the journal's commits or other lines; the head is long read when the last part comes.
            time.sleep(draw.uniform(0.01, 0.03))
            written.append((time.perf_counter(), patient.key))
            os.write(master, last)
        print(json.dumps(written), flush=True)
    os.close(slave)
    os.close(master)


if __name__ == "__main__":
    _be_the_device()
