"""A real mosquitto for the tests: its own folder and port, killed and started again on the same one at will."""

from __future__ import annotations

import asyncio
import signal
import ssl
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import aiomqtt

from tests.server import PATIENCE, Server
from tests.services import require


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


class Broker(Server):
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
        super().__init__(folder)
        self._program = require("mosquitto")
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

    def command(self) -> list[str | Path]:
        """The broker, with its configuration written anew for its port."""
        listener = (f"listener {self.port} 127.0.0.1", *self._listener)
        self._configuration.write_text("\n".join((*self._lines, *listener)) + "\n")
        return [self._program, "-c", self._configuration]

    def save(self) -> None:
        """Have it write down its sessions now, so that `kill` does not lose them."""
        self._saved.unlink(missing_ok=True)
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR1)
        # It writes another file and gives it this name when all is in it.
        deadline = time.monotonic() + PATIENCE
        while not self._saved.exists():
            assert time.monotonic() < deadline, f"mosquitto does not save: {self.log()}"
            time.sleep(0.01)

    def acknowledged(self, identifier: str) -> int:
        """How many acknowledgements it has read of that client; needs the line `log_type all`.

        What a client has sent is not yet heard: mosquitto throws away what it has not read when the same client
        connects again.
        """
        return self.log().count(f"Received PUBACK from {identifier} ")

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


async def until(condition: Callable[[], object], what: str = "") -> None:
    """Wait until the condition holds; fails when it never does."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited in vain {what}") from None
