"""Simulated devices on pseudo-terminals, in a process of their own so that their cost is not the station's.

`Lines` starts that process (`python -m benchmarks.lines`). It says one line of JSON after each line that it is told:
the kinds -> the ports' addresses; `go` -> `going`, once the devices send; `stop` -> what each has sent. Its end of
input ends it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

from benchmarks.streams import Kind
from drivers.clock import SystemClock
from simulators.device_side import DeviceSide
from simulators.endpoint import PtyEndpoint

_PACKET = 25
"""Frames of Nonin formats 2 and 7 that make one reading."""


class Sent(NamedTuple):
    """What one device has put on its wire."""

    frames: int
    spo2: int
    """Whole SpO2 readings among them."""


class Lines:
    """The process, from the measuring side."""

    def __init__(self, devices: Sequence[Kind]) -> None:
        self._devices = devices

    def __enter__(self) -> Self:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.lines"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.addresses: list[str] = self._tell(json.dumps(self._devices))
        return self

    def __exit__(self, *_: object) -> None:
        # communicate closes its input, which ends it.
        self._child.communicate(timeout=10)

    def go(self) -> None:
        """Have every device send, each at a moment of its own."""
        self._tell("go")

    def stop(self) -> list[Sent]:
        """Have all of them fall silent, and tell what they sent."""
        return [Sent(*one) for one in self._tell("stop")]

    def _tell(self, text: str) -> Any:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(text + "\n")
        return json.loads(self._child.stdout.readline())


def wait_for_ports(pid: int, addresses: Iterable[str]) -> None:
    """Wait until a process has all these ports open. Raises `RuntimeError` after half a minute."""
    wanted = set(addresses)
    for _ in range(300):
        # Linux's own list of what a process has open: a port tells nobody that it is being read.
        held = set()
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                held.add(str(entry.readlink()))
        if wanted <= held:
            # What was in the port's buffer before is thrown away at the end of opening it.
            time.sleep(0.5)
            return
        time.sleep(0.1)
    raise RuntimeError("the station has not opened all ports")


class _Counted(DeviceSide):
    """A device side that counts what it sends."""

    def __init__(self, kind: Kind, seed: int) -> None:
        self._side = kind.side(seed)
        super().__init__(self._side.patient)
        self.period = self._side.period
        self._kind = kind
        self.silent = False
        self._frames = 0
        self._spo2 = 0

    def tick(self, now: float) -> bytes:
        """The device's own; one frame."""
        data = b"" if self.silent else self._side.tick(now)
        if data:
            self._frames += 1
        return data

    def answer(self, data: bytes, now: float) -> bytes:
        """The device's own."""
        reply = b"" if self.silent else self._side.answer(data, now)
        if reply:
            self._frames += 1
            self._spo2 += reply.startswith(b" OA")
        return reply

    @property
    def sent(self) -> Sent:
        """So far."""
        if self._kind.driver == "dinamap":
            return Sent(self._frames, self._spo2)
        in_packets = self._kind.options.get("format") in ("2", "7")
        return Sent(self._frames, self._frames // _PACKET if in_packets else self._frames)


async def _serve() -> None:
    devices = [Kind(*one) for one in json.loads(await _heard())]
    sides = [_Counted(kind, seed) for seed, kind in enumerate(devices, start=1)]
    endpoints = [PtyEndpoint(side, SystemClock()) for side in sides]
    _say([endpoint.address for endpoint in endpoints])
    await _heard()
    # Like devices that were switched on by hand: no two of them send at the same moment.
    draw = random.Random(1)
    tasks = [
        asyncio.create_task(_after(draw.uniform(0, side.period), endpoint))
        for side, endpoint in zip(sides, endpoints, strict=True)
    ]
    gc.freeze()
    _say("going")
    await _heard()
    # Silent, but still plugged in: pulling the cable would take away what the station has not read yet.
    for side in sides:
        side.silent = True
    _say([side.sent for side in sides])
    await _heard()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _after(delay: float, endpoint: PtyEndpoint) -> None:
    await asyncio.sleep(delay)
    await endpoint.serve()


async def _heard() -> str:
    return await asyncio.to_thread(sys.stdin.readline)


def _say(what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve())
