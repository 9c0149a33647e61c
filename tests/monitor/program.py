"""The command `infusion-monitor` as its users run it, a process of its own; and a station in the test's own loop."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from drivers.clock import SystemClock
from monitor import config_file
from monitor.station import Station
from tests.server import PATIENCE

COMMAND = [sys.executable, "-m", "monitor"]
ROOT = Path(__file__).parents[2]


def call(*args: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, args)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


class RunningStation:
    """`infusion-monitor run` in the background; made when its page answers."""

    def __init__(self, data_dir: Path, *args: str | Path) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "run", "--port", "0", "--data-dir", str(data_dir), *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self._said = ""
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline().strip()
        assert self.line, self.stop()[1]
        self.page = self.line.split()[4].rstrip(";")

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.page + path, timeout=PATIENCE) as answer:
            body: bytes = answer.read()
            return body

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal and wait; the exit code, and what was said on stderr."""
        if self.process.returncode is None:
            self.process.send_signal(number)
            self._said = self.process.communicate(timeout=PATIENCE)[1]
        return self.process.returncode, self._said


Start = Callable[..., RunningStation]
"""What the fixture `start_station` gives: the arguments are those of `RunningStation`."""


@asynccontextmanager
async def running(folder: Path, text: str) -> AsyncIterator[Station]:
    """A station of the configuration `text`, in this loop; its journal is in `folder / "data"`."""
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    station = Station(config_file.load(path), SystemClock(), data_dir=folder / "data", port=0)
    await station.open()
    stop = asyncio.Event()
    task = asyncio.create_task(station.run(stop))
    try:
        yield station
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE)


def wait_for(condition: object, seconds: float = PATIENCE) -> None:
    """Wait until the callable gives something true."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
