"""`infusion-monitor user` and `token` as their users run them, without a station; and what a station answers."""

from __future__ import annotations

import asyncio
import http.server
import io
import json
import os
import pty
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from drivers.clock import SystemClock
from drivers.errors import AccountRefused, ConfigError, StationSilent
from monitor.accounts.accounts import Accounts
from monitor.accounts.people import Role
from monitor.cli import accounts_client
from monitor.cli.accounts_client import AccountsClient
from monitor.cli.main import main
from monitor.storage.history import History
from monitor.storage.lock import StationLock
from monitor.storage.verify import verify
from monitor.web import station_file
from tests.monitor.program import COMMAND, ROOT

PASSWORD = "correct horse battery"
BEN = ("user", "add", "ben", "--name", "Ben Olsen", "--role", "nurse")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


class Done(NamedTuple):
    """What a command ended with, and said."""

    code: int
    stdout: str
    stderr: str


Say = Callable[..., Done]


@pytest.fixture
def say(data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """`infusion-monitor ...` in this process, which is quicker, with that on standard input."""

    def run(*args: str, typed: str = "") -> Done:
        monkeypatch.setattr(sys, "argv", ["infusion-monitor", *args, "--data-dir", str(data)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return run


def known(data: Path) -> Accounts:
    """As a station that starts there knows them."""
    accounts = Accounts(data, SystemClock(), lambda *_row, **_more: None)
    asyncio.run(accounts.load())
    return accounts


def rows(data: Path) -> list[tuple[str, ...]]:
    return [row[1:] for row in History(data).audit()]


def test_accounts_from_the_first_one_on(say: Say, data: Path) -> None:
    assert say("user", "list").stdout == ""
    add = ("user", "add", "anna", "--name", "Anna Berg", "--role", "admin", "--password-stdin", "--by", "root")
    made = say(*add, typed=f"{PASSWORD}\n")
    assert (made.code, made.stdout, made.stderr) == (0, "anna              admin     Anna Berg\n", "")
    assert say(*BEN, "--no-password", "--by", "anna").code == 0
    assert say("user", "role", "ben", "reviewer", "--by", "anna").code == 0
    changed = say("user", "password", "ben", "--password-stdin", "--by", "anna", typed="another long password")
    assert changed.code == 0
    assert say("user", "name", "ben", "Benjamin Olsen", "--by", "anna").code == 0
    assert say("user", "disable", "ben", "--by", "anna").stdout.endswith("Benjamin Olsen  DISABLED\n")
    assert say("user", "enable", "ben", "--by", "anna").code == 0
    listed = [json.loads(line) for line in say("user", "list", "--json").stdout.splitlines()]
    assert [list(user.values())[:4] for user in listed] == [
        ["anna", "Anna Berg", "admin", False],
        ["ben", "Benjamin Olsen", "reviewer", False],
    ]
    assert [user["password"] for user in listed] == [True, True]
    assert stat.S_IMODE((data / "accounts.json").stat().st_mode) == 0o600
    login = asyncio.run(known(data).log_in("ben", "another long password", "127.0.0.1"))
    assert login.person.role is Role.REVIEWER
    assert rows(data) == [
        ("root", "user added", "anna (Anna Berg)", "command", "", "admin"),
        ("anna", "user added", "ben (Ben Olsen)", "command", "", "nurse"),
        ("anna", "role changed", "ben (Ben Olsen)", "command", "nurse", "reviewer"),
        ("anna", "password changed", "ben (Ben Olsen)", "command", "", ""),
        ("anna", "name changed", "ben (Benjamin Olsen)", "command", "Ben Olsen", "Benjamin Olsen"),
        ("anna", "user disabled", "ben (Benjamin Olsen)", "command", "", ""),
        ("anna", "user enabled", "ben (Benjamin Olsen)", "command", "", ""),
    ]
    assert verify(data / "journal.db").holds


def test_token_is_told_once(say: Say, data: Path) -> None:
    made = say("token", "add", "Grafana", "--role", "viewer", "--by", "root")
    assert (made.code, made.stderr) == (0, "")
    secret = made.stdout.strip()
    person = known(data).person_of_token(secret)
    assert person is not None
    assert (person.login, person.role) == ("Grafana", Role.VIEWER)
    listed = say("token", "list").stdout
    assert listed.startswith("viewer    Grafana  since 20")
    assert "REVOKED 20" in say("token", "revoke", "grafana", "--by", "root").stdout
    [token] = [json.loads(line) for line in say("token", "list", "--json").stdout.splitlines()]
    assert token["revoked_at"]
    assert known(data).person_of_token(secret) is None
    assert [row[:3] for row in rows(data)] == [
        ("root", "token added", "Grafana"),
        ("root", "token revoked", "Grafana"),
    ]
    for file in data.iterdir():
        assert secret.encode() not in file.read_bytes()


@pytest.mark.parametrize(
    ("args", "typed", "code", "why"),
    [
        ((*BEN, "--password-stdin"), "short\n", 1, "infusion-monitor: a password has at least 12 characters"),
        ((*BEN, "--password-stdin"), "", 2, "--password-stdin: there is no line"),
        ((*BEN, "--password-stdin", "--no-password"), "", 2, "say one of them"),
        (BEN, f"{PASSWORD}\n{PASSWORD}\n", 2, "there is no terminal to ask for the password: say --password-stdin"),
        (("user", "add", "Ben", "--name", "Ben", "--role", "nurse", "--no-password"), "", 2, "login: a login has"),
        (("user", "disable", "ben"), "", 1, "there is no account 'ben'"),
        (("token", "revoke", "grafana"), "", 1, "there is no token 'grafana'"),
        (("user", "role", "ben", "god"), "", 2, "god"),
    ],
)
def test_what_is_refused(say: Say, data: Path, args: tuple[str, ...], typed: str, code: int, why: str) -> None:
    refused = say(*args, typed=typed)
    assert (refused.code, refused.stdout) == (code, "")
    assert why in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (data / "accounts.json").exists()


def test_damaged_accounts_are_said_and_left_as_they_are(say: Say, data: Path) -> None:
    data.mkdir()
    (data / "accounts.json").write_text("{")
    for args in (("user", "list"), ("token", "list"), (*BEN, "--no-password")):
        refused = say(*args)
        assert (refused.code, refused.stdout) == (2, "")
        assert "accounts.json is damaged" in refused.stderr
    assert (data / "accounts.json").read_text() == "{"


def test_password_is_asked_for_twice_at_a_terminal_and_not_shown(data: Path) -> None:
    process, terminal = pty.fork()
    if process == 0:
        os.environ["PYTHONPATH"] = str(ROOT)
        os.execv(sys.executable, [*COMMAND, *BEN, "--data-dir", str(data)])
    shown = b""

    def until(text: bytes) -> None:
        nonlocal shown
        while text not in shown:
            shown += os.read(terminal, 1024)
        shown = shown.partition(text)[2]

    until(b"Password: ")
    os.write(terminal, b"what is it again\n")
    until(b"once more: ")
    os.write(terminal, b"something else\n")
    until(b"These are not the same.")
    until(b"Password: ")
    os.write(terminal, f"{PASSWORD}\n".encode())
    until(b"once more: ")
    os.write(terminal, f"{PASSWORD}\n".encode())
    until(b"Ben Olsen")
    assert os.waitpid(process, 0)[1] == 0
    os.close(terminal)
    assert asyncio.run(known(data).log_in("ben", PASSWORD, "127.0.0.1"))


def test_two_commands_at_once_are_both_done(data: Path) -> None:
    people = ["ben", "cleo"]
    add = [*COMMAND, "user", "add", "--role", "nurse", "--no-password", "--data-dir", str(data), "--name"]
    started = [subprocess.Popen([*add, login, login], cwd=ROOT, stdout=subprocess.DEVNULL) for login in people]
    assert [command.wait(60) for command in started] == [0, 0]
    assert [user.login for user in known(data).users()] == people


class Station(http.server.BaseHTTPRequestHandler):
    """Answers as it is told to."""

    answer: tuple[int, object] = 200, {}
    asked: list[tuple[str, str, Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, self.headers["Authorization"], body))
        status, content = self.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_args: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def station(data: Path) -> Iterator[type[Station]]:
    """What holds the data folder, and is asked there."""
    data.mkdir()
    lock = StationLock(data)
    lock.take()
    handler = type("_Station", (Station,), {"asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    station_file.write(data, f"http://127.0.0.1:{server.server_port}", "secret")
    yield handler
    server.shutdown()
    server.server_close()
    lock.release()


Change = Callable[[], dict[str, Any]]


@pytest.fixture
def disable(data: Path) -> Change:
    return lambda: AccountsClient(data).change_user({"verb": "disable", "login": "ben", "by": "root"})


def test_beside_a_station_that_one_is_asked(say: Say, data: Path, station: type[Station]) -> None:
    user = {"login": "ben", "name": "Ben Olsen", "role": "nurse", "disabled": False, "password": True}
    station.answer = 202, {"user": user, "recorded": False}
    done = say(*BEN, "--password-stdin", "--by", "root", typed=PASSWORD)
    assert (done.code, done.stdout) == (3, "ben               nurse     Ben Olsen\n")
    assert "IN FORCE, NOT ON DISK YET" in done.stderr
    said = {"verb": "add", "login": "ben", "name": "Ben Olsen", "role": "nurse", "password": PASSWORD, "by": "root"}
    assert station.asked == [("/api/users", "Bearer secret", said)]
    station.answer = 200, {"token": "imt_x", "name": "G", "role": "viewer", "recorded": True}
    assert say("token", "add", "G", "--role", "viewer", "--by", "root").stdout == "imt_x\n"
    assert station.asked[1][::2] == ("/api/tokens", {"verb": "add", "name": "G", "role": "viewer", "by": "root"})
    assert not (data / "accounts.json").exists()


class WaitedTime:
    """Passes only while it is waited: however slow an answer is, there is time for another."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        ((409, {"error": "refused", "text": "the last admin"}), AccountRefused, "the last admin"),
        ((422, {"error": "invalid", "text": "by: is empty"}), ConfigError, "by: is empty"),
        ((500, {"error": "failed"}), StationSilent, "not known whether that was done"),
        ((200, {"recorded": "perhaps"}), StationSilent, "not known whether that was done"),
        ((200, []), StationSilent, "no station of this version"),
        ((503, {"error": "unavailable"}), StationSilent, "nothing was changed: the station answered 503"),
    ],
)
def test_what_a_station_may_answer(
    station: type[Station],
    disable: Change,
    monkeypatch: pytest.MonkeyPatch,
    answer: tuple[int, object],
    error: type[Exception],
    text: str,
) -> None:
    monkeypatch.setattr(accounts_client, "time", WaitedTime())
    monkeypatch.setattr(accounts_client, "BETWEEN", accounts_client.PATIENCE * 0.6)
    station.answer = answer
    with pytest.raises(error, match=text):
        disable()
    # Only what was surely not done is said again by itself.
    assert (len(station.asked) > 1) is (answer[0] == 503)


def test_no_disk_for_the_audit_is_said(say: Say, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say(*BEN, "--no-password")
    say("user", "add", "cleo", "--name", "Cleo", "--role", "nurse", "--no-password")

    def full(*_args: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("monitor.storage.database.Database.write", full)
    answer = AccountsClient(data).change_user({"verb": "disable", "login": "ben", "by": "root"})
    assert (answer["user"]["disabled"], answer["recorded"], answer["audited"]) == (True, True, False)
    monkeypatch.setattr("monitor.accounts.store.AccountStore.write", full)
    with pytest.raises(AccountRefused, match="nothing was changed"):
        AccountsClient(data).change_user({"verb": "disable", "login": "cleo", "by": "root"})
