"""A real mosquitto for the tests: its own folder and port, killed and started again on the same one at will."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import aiomqtt

from tests.services import require

PATIENCE = 60
"""Seconds after which what a test waits for is taken not to come; never how long anything should take."""


class Authority:
    """A certificate authority made for one test."""

    def __init__(self, folder: Path, name: str = "test authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.certificate = folder / "ca.pem"
        self._key = folder / "ca.key"
        _openssl(
            *("-subj", f"/CN={name}", "-keyout", self._key, "-out", self.certificate),
            *("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"),
        )

    def issue(self, name: str, alternative: str) -> tuple[Path, Path]:
        """A certificate and its key; `alternative` is the subject's alternative name, `IP:127.0.0.1` for one."""
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        _openssl(
            *("-CA", self.certificate, "-CAkey", self._key),
            *("-subj", f"/CN={name}", "-keyout", key, "-out", certificate),
            *("-addext", "basicConstraints=critical,CA:FALSE", "-addext", f"subjectAltName={alternative}"),
        )
        return certificate, key


def _openssl(*arguments: str | Path) -> None:
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    subprocess.run([require("openssl"), *new, *arguments], check=True, capture_output=True, timeout=PATIENCE)


class Broker:
    """A mosquitto on a free port of this machine, while its `with` lasts.

    It never drops a queued message and keeps its sessions: `stop` writes them to its folder, as `save` does at once,
    and `start` reads them again. Who connects with one of `users` gives that password, everybody else is refused
    where there are any. `acl` is the text of mosquitto's access control file; `certificate` (with its key) makes the
    port one for TLS, and `client_authority` has every client show a certificate too; `lines` are added to the
    configuration.
    """

    def __init__(
        self,
        folder: Path,
        *,
        users: Mapping[str, str] | None = None,
        acl: str | None = None,
        certificate: tuple[Path, Path] | None = None,
        client_authority: Authority | None = None,
        lines: Iterable[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # Debian puts it where an ordinary user's PATH does not look.
        self._program = shutil.which("mosquitto", path="/usr/sbin") or require("mosquitto")
        self._log = folder / "log"
        self._saved = folder / "mosquitto.db"
        self._configuration = folder / "mosquitto.conf"
        self._lines = [
            # Started as root, mosquitto would become a user that cannot write here.
            "user root",
            "persistence true",
            f"persistence_location {folder}/",
            "max_queued_messages 0",
            f"log_dest file {self._log}",
            *lines,
        ]
        if users is None:
            self._lines.append("allow_anonymous true")
        else:
            passwords = folder / "passwords"
            passwords.touch(0o600)
            for user, password in users.items():
                subprocess.run(
                    [require("mosquitto_passwd"), "-b", passwords, user, password], check=True, capture_output=True
                )
            self._lines.append(f"password_file {passwords}")
        if acl is not None:
            rules = folder / "acl"
            rules.touch(0o600)
            rules.write_text(acl)
            self._lines.append(f"acl_file {rules}")
        self._listener = []
        if certificate is not None:
            self._listener += [f"certfile {certificate[0]}", f"keyfile {certificate[1]}"]
        if client_authority is not None:
            self._listener += [f"cafile {client_authority.certificate}", "require_certificate true"]
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, on a free port the first time and on the same one from then on, and wait until it answers."""
        first = self.port == 0
        deadline = time.monotonic() + PATIENCE
        while not self._started():
            if time.monotonic() > deadline or not first:
                raise AssertionError(f"mosquitto does not start: {self.log()}")
            # Another program took the port in the moment between the question and the answer.

    def _started(self) -> bool:
        if self._process is None and not self.port:
            self.port = _free_port()
        listener = (f"listener {self.port} 127.0.0.1", *self._listener)
        self._configuration.write_text("\n".join((*self._lines, *listener)) + "\n")
        self._process = subprocess.Popen(
            [self._program, "-c", self._configuration], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + PATIENCE
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
            except ConnectionRefusedError:
                time.sleep(0.01)
            else:
                return True
        self.kill()
        self.port = 0
        return False

    def kill(self) -> None:
        """End it as a power cut would; harmless where it is down."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order: it writes down its sessions and what it still owes them."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Let it hear and say nothing, with its connections open."""
        self._signal(signal.SIGSTOP)

    def save(self) -> None:
        """Have it write down its sessions now, so that `kill` does not lose them."""
        self._saved.unlink(missing_ok=True)
        self._signal(signal.SIGUSR1)
        # It writes another file and gives it this name when all is in it.
        deadline = time.monotonic() + PATIENCE
        while not self._saved.exists():
            assert time.monotonic() < deadline, f"mosquitto does not save: {self.log()}"
            time.sleep(0.01)

    def log(self) -> str:
        """What it wrote to its log; with the line `log_type all`, every packet."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def acknowledged(self, identifier: str) -> int:
        """How many acknowledgements it has read of that client; needs the line `log_type all`.

        What a client has sent is not yet heard: mosquitto throws away what it has not read when the same client
        connects again.
        """
        return self.log().count(f"Received PUBACK from {identifier} ")

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE)
            self._process = None

    def client(self, authority: Authority | None = None) -> aiomqtt.Client:
        """A third party on the broker; with an authority it speaks TLS."""
        context = ssl.create_default_context(cafile=authority.certificate) if authority else None
        return aiomqtt.Client("127.0.0.1", self.port, timeout=PATIENCE, tls_context=context)

    async def publish(
        self, topic: str, *payloads: bytes | str, retain: bool = False, authority: Authority | None = None
    ) -> None:
        """Publish with QoS 1 as a third party; when it returns the broker has all of them."""
        async with self.client(authority) as client:
            for payload in payloads:
                await client.publish(topic, payload, qos=1, retain=retain)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def until(condition: Callable[[], object], what: str = "") -> None:
    """Wait until the condition holds; fails when it never does."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited in vain {what}") from None
