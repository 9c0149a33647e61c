"""What the real servers of the tests have in common: a folder, a port, and a life that ends and begins at will."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

PATIENCE = 60
"""Seconds after which what a test waits for is taken not to come; never how long anything should take."""


class Server(ABC):
    """A program that listens on a free port of this machine while its `with` lasts; its log is a file in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = 0
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @abstractmethod
    def command(self) -> list[str | Path]:
        """The program with its arguments, for `port`."""

    def environment(self) -> Mapping[str, str] | None:
        """Its environment; None for this one."""
        return None

    def answers(self, process: int) -> bool:
        """Whether it is that process that listens on `port`: who else has it must not answer for it."""
        try:
            connections = psutil.Process(process).net_connections("tcp")
        except psutil.Error:
            return False
        return (psutil.CONN_LISTEN, self.port) in {(its.status, its.laddr.port) for its in connections}

    def start(self) -> None:
        """Start it, on a free port the first time and on the same one from then on, and wait until it answers."""
        first = self.port == 0
        deadline = time.monotonic() + PATIENCE
        while not self._started():
            if time.monotonic() > deadline or not first:
                raise AssertionError(f"{type(self).__name__} does not start: {self.log()}")
            # Another program took the port in the moment between the question and the answer.
            self.port = 0

    def _started(self) -> bool:
        self.port = self.port or free_port()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                # influxd takes a config.yaml where it is started for its own.
                cwd=self.folder,
                env=self.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + PATIENCE
        while self._process.poll() is None and time.monotonic() < deadline:
            if self.answers(self._process.pid):
                return True
            time.sleep(0.01)
        self.kill()
        return False

    def kill(self) -> None:
        """End it as a power cut would; harmless where it is down."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Let it hear and say nothing, with its connections open, from the return of this call on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def log(self) -> str:
        """What it wrote to its log."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE)
            self._process = None


def free_port() -> int:
    """A port of this machine that nobody listens on, and that is there again after a while without a server.

    None of those that Linux gives to connections, and to servers that take any: one of the tests that run meanwhile
    would be given it while a server is down.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
