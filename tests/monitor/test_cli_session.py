"""`infusion-monitor session` as its users run it: beside a running station, without one, and when neither is sure."""

from __future__ import annotations

import errno
import http.server
import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from drivers.errors import ConfigError, JournalUnusable, StationSilent, StepRefused
from monitor import config_file
from monitor.cli import desk_client, session_print
from monitor.cli.desk_client import DeskClient
from monitor.config import StationConfig
from monitor.sessions import desk as desk_module
from monitor.storage.lock import StationLock
from monitor.storage.session_entries import SessionEntries
from monitor.web import station_file
from tests.monitor.program import COMMAND, ROOT, Start, call
from tests.monitor.sessions.helpers import settable

Say = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(params=["station", "alone"])
def say(request: pytest.FixtureRequest, data: Path, start_station: Start) -> Say:
    """`infusion-monitor session ...`, beside a station and without one."""
    if request.param == "station":
        start_station(data)
    return alone(data)


def alone(data: Path) -> Say:
    return lambda *args: call("session", *args, "--data-dir", data)


def told(done: subprocess.CompletedProcess[str], code: int = 0) -> dict[str, Any]:
    """The one JSON object that a command printed."""
    assert (done.returncode, done.stderr) == (code, ""), done.stdout
    [line] = done.stdout.splitlines()
    content: dict[str, Any] = json.loads(line)
    return content


def test_a_visit_from_opening_to_closing(say: Say, data: Path) -> None:
    opened = say("open", "chair-1", "--reference", "P-0042", "--planned-minutes", "30", "--by", "Anna")
    assert opened.returncode == 0, opened.stderr
    assert opened.stdout.startswith("chair-1  ")
    assert "session opened, 30 min of infusion planned" in opened.stdout
    name = opened.stdout.split()[1]

    assert "baseline begun" in say("phase", "chair-1", "baseline", "--by", "Anna").stdout
    assert "Consent given: yes" in say("check", "chair-1", "consent", "--by", "Anna").stdout
    assert "skipped, came alone" in say("check", name, "escort", "--skip", "came alone", "--by", "Ben").stdout
    asked = say("phase", "chair-1", "start")
    assert (asked.returncode, asked.stdout) == (1, "")
    assert "Identity confirmed" in asked.stderr
    assert "Consent given" not in asked.stderr
    assert "--confirm" in asked.stderr
    assert "infusion started" in say("phase", "chair-1", "start", "--confirm", "--reason", "all seen").stdout
    assert "LATE 10 min" in say("note", "chair-1", "feels fine\nand warm", "--at", "10m").stdout
    assert "Oxygen given" in say("note", "chair-1", "--event", "oxygen").stdout
    assert "dose: 0.5 mg/kg" in say("note", "chair-1", "0.5 mg/kg", "--dose").stdout
    assert "MOAA/S 4: sleepy" in say("score", "chair-1", "moaas", "4", "sleepy").stdout
    correct = told(say("correct", "chair-1", "9", "--reason", "typing error", "--value", "5", "--json"))
    assert [entry["content"]["corrects"] for entry in correct["entries"]] == [9]
    assert say("correct", "chair-1", "7", "--reason", "other patient", "--void").returncode == 0
    assert "moved from chair-1 to chair-2" in say("move", "chair-1", "chair-2").stdout
    assert "no session is open on chair-1" in say("note", "chair-1", "x").stderr
    assigned = say("assign", name, "chair-1", "--since", "2026-01-01T10:00:00Z", "--until", "2026-01-01T11:00:00Z")
    assert "2026-01-01T10:00:00Z to 2026-01-01T11:00:00Z" in assigned.stdout
    assert "infusion stopped" in say("phase", "chair-2", "stop").stdout
    asked = say("close", "chair-2")
    assert asked.returncode == 1
    assert "Escort is here" in asked.stderr
    assert "--reason" in asked.stderr
    assert "session closed: went home" in say("close", "chair-2", "--reason", "went home").stdout

    chart = say("show", name).stdout
    lines = chart.splitlines()
    assert max(map(len, lines)) <= session_print.WIDTH
    assert lines[0] == f"chair-2  {name}  P-0042"
    assert lines[1].startswith("closed; opened ")
    assert "  [x] Consent given: yes (Anna, " in chart
    assert "  [-] Escort named: skipped, came alone (Ben, " in chart
    assert "  [ ] Identity confirmed\n" in chart
    assert "LATE 10 min feels fine\n" in chart
    assert "VOID Oxygen given" in chart
    [score] = [line for line in lines if "MOAA/S 5: sleepy" in line]
    assert lines[lines.index(score) + 1].strip() == "was: MOAA/S 4: sleepy"
    assert (score.split()[0], score.rsplit(maxsplit=3)[1:]) == ("9", ["corrected", "by", "10"])
    full = told(say("show", name, "--json"))
    assert [entry["number"] for entry in full["entries"]] == list(range(1, 16))
    assert full["state"] == "closed"
    assert {stay["bed"] for stay in full["beds"]} == {"chair-1", "chair-2"}
    assert say("show", "chair-2").returncode == 1
    assert call("verify", "--data-dir", data).returncode == 0


def test_a_chart_is_signed_as_far_as_it_was_seen(say: Say, data: Path) -> None:
    name = say("open", "chair-1", "--reference", "P-0042").stdout.split()[1]
    assert "not closed" in say("sign", name, "--through", "1").stderr
    assert say("close", name, "--reason", "a test").returncode == 0
    unseen = say("sign", name, "--through", "1", "--by", "Dr. Lee")
    assert (unseen.returncode, unseen.stdout) == (1, "")
    assert "has entries through 2" in unseen.stderr
    assert "chart signed, through entry 2" in say("sign", name, "--through", "2", "--by", "Dr. Lee").stdout
    assert "Dr. Lee signed it" in say("sign", name, "--through", "3").stderr
    assert call("verify", "--data-dir", data).returncode == 0


def test_the_limit_of_an_alert_is_set_for_one_session_and_taken_back(say: Say) -> None:
    rule, low, high = settable()
    assert say("open", "chair-1", "--reference", "P-1", "--profile", "adult_infusion").returncode == 0
    done = say("limit", "chair-1", rule, f"{low:g}", "--by", "Anna", "--reason", "her usual")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"limit of {rule} set to {low:g}: her usual" in done.stdout
    assert told(say("show", "chair-1", "--json"))["limits"] == {rule: low}
    chart = say("show", "chair-1").stdout
    assert f"Limits    {rule} {low:g}; set for this session" in chart
    assert "; alert profile adult_infusion\n" in chart

    refused = say("limit", "chair-1", rule, f"{high + 1:g}", "--reason", "x")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"from {low:g} to {high:g}; {high + 1:g} is outside" in refused.stderr
    unknown = told(say("limit", "chair-1", "mood_low", "1", "--reason", "x", "--json"), 1)
    assert rule in unknown["possible"]
    for arguments in (("limit", "chair-1", rule), ("limit", "chair-1", rule, f"{low:g}", "--reset")):
        wrong = told(say(*arguments, "--reason", "x", "--json"), 2)
        assert wrong["text"] == "say NUMBER, or --reset: one of the two"
    reset = say("limit", "chair-1", rule, "--reset", "--reason", "as all")
    assert f"limit of {rule} back to the profile's: as all" in reset.stdout
    assert told(say("show", "chair-1", "--json"))["limits"] == {}
    assert "Limits" not in say("show", "chair-1").stdout
    loud = say("open", "chair-2", "--reference", "P-2", "--profile", "loud")
    assert (loud.returncode, loud.stdout) == (1, "")
    assert "there are: adult_infusion" in loud.stderr


def test_errors_as_json_and_their_codes(say: Say) -> None:
    opened = told(say("open", "chair-1", "--reference", "P-1", "--json"))
    assert (opened["recorded"], opened["bed"], opened["phase"]) == (True, "chair-1", "check_in")
    refused = told(say("open", "chair-1", "--reference", "P-2", "--json"), 1)
    assert refused["error"] == "refused"
    assert opened["session"] in refused["text"]
    wrong = told(say("phase", "chair-1", "stop", "--json"), 1)
    assert (wrong["error"], wrong["possible"]) == ("refused", ["baseline", "start", "close"])
    confirm = told(say("phase", "chair-1", "start", "--json"), 1)
    assert confirm["error"] == "confirm"
    assert "Consent given" in confirm["open"]
    for arguments, text in [
        (("open", "chair-2", "--reference", "Jane Doe"), "reference: a pseudonym"),
        (("phase", "chair-1", "close"), "step: one of baseline, start"),
        (("note", "chair-1", "x", "--at", "soon"), "--at soon"),
        (("assign", "chair-1", "chair-2", "--since", "1h", "--until", "x"), "--until x"),
        (("score", "chair-1", "moaas", "nan"), "value: "),
        (("note", "chair-1", "x", "--request", "1"), "request: 32 digits"),
        (("note", "chair-1", "x", "--by", "\x1b[2J"), "by: "),
    ]:
        invalid = told(say(*arguments, "--json"), 2)
        assert invalid["error"] == "invalid"
        assert text in invalid["text"]
    assert told(say("show", "chair-9", "--json"), 1)["error"] == "refused"
    usage = say("open", "chair-2")
    assert (usage.returncode, usage.stdout) == (2, "")
    assert "--reference" in usage.stderr


def test_a_wrong_step_says_what_is_possible(say: Say) -> None:
    say("open", "chair-1", "--reference", "P-1")
    refused = say("phase", "chair-1", "stop")
    assert (refused.returncode, refused.stdout) == (1, "")
    for step in ("baseline", "start", "close"):
        assert step in refused.stderr


def test_who_does_it_is_the_login_without_another_name(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "carla")
    assert told(alone(data)("open", "--reference", "P-1", "--json"))["entries"][0]["by"] == "carla"


def test_sessions_are_listed_and_chosen(data: Path) -> None:
    say = alone(data)
    assert say("list").returncode == 1
    first = told(say("open", "chair-1", "--reference", "P-1", "--json"))["session"]
    say("move", "chair-1", "chair-2")
    say("close", "chair-2", "--reason", "test")
    second = told(say("open", "chair-2", "--reference", "P-2", "--json"))["session"]

    def listed(*options: str) -> list[str]:
        return [json.loads(line)["session"] for line in say("list", *options, "--json").stdout.splitlines()]

    assert listed() == [first, second]
    assert listed("--open") == [second]
    assert listed("--bed", "chair-1") == [first]
    assert listed("--bed", "chair-2") == [first, second]
    assert listed("--since", "2999-01-01T00:00:00Z") == []
    assert say("list", "--since", "2999-01-01T00:00:00Z").stdout == "no sessions\n"
    rows = say("list").stdout.splitlines()
    assert [row.split()[:3] for row in rows] == [["chair-2", first, "P-1"], ["chair-2", second, "P-2"]]
    assert "closed" in rows[0]
    assert "check-in" in rows[1]


def test_reading_changes_nothing_and_needs_a_journal(data: Path) -> None:
    for arguments in (("list",), ("show", "chair-1"), ("note", "chair-1", "x")):
        done = alone(data)(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert "has a station ever run there?" in done.stderr
    assert not data.exists()


def test_what_was_done_alone_is_there_for_the_station_and_the_other_way_round(data: Path, start_station: Start) -> None:
    say = alone(data)
    number = uuid4().hex
    once = told(say("open", "chair-1", "--reference", "P-1", "--request", number, "--json"))
    station = start_station(data)
    assert told(say("open", "chair-1", "--reference", "P-1", "--request", number, "--json")) == once
    step = told(say("phase", "chair-1", "baseline", "--json", "--request", "a" * 32))
    station.stop(signal.SIGKILL)
    # What a station leaves that was killed leads to nobody.
    assert (data / "station.json").exists()
    again = told(say("phase", "chair-1", "baseline", "--json", "--request", "a" * 32))
    assert again["entries"] == step["entries"]
    assert [len(entries) for entries in SessionEntries(data).all()] == [2]


def test_the_station_says_where_it_is_only_while_it_runs(data: Path, start_station: Start) -> None:
    tokens = []
    for _ in range(2):
        station = start_station(data)
        file = data / "station.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        said = json.loads(file.read_text())
        assert said["address"] == station.page
        tokens.append(said["token"])
        code, stderr = station.stop()
        assert code == 0
        assert not file.exists()
        assert tokens[-1] not in stderr
    assert len(set(tokens)) == 2


def test_many_at_once_without_a_station_are_done_one_after_the_other(data: Path) -> None:
    commands = [
        subprocess.Popen(
            [*COMMAND, "session", "open", "chair-1", "--reference", f"P-{number}", "--data-dir", str(data)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for number in range(4)
    ]
    said = [command.communicate(timeout=60) for command in commands]
    assert sorted(command.returncode for command in commands) == [0, 1, 1, 1]
    [opened] = [stdout for stdout, _ in said if stdout]
    assert all(opened.split()[1] in stderr for stdout, stderr in said if not stdout)


def test_a_journal_that_cannot_be_written_is_told(data: Path, start_station: Start) -> None:
    start_station(data)
    say = alone(data)
    foreign = sqlite3.connect(data / "journal.db", isolation_level=None, timeout=30)
    foreign.execute("BEGIN IMMEDIATE")
    arguments = ("open", "chair-1", "--reference", "P-1", "--request", "b" * 32)
    taken = say(*arguments)
    assert taken.returncode == 3
    assert "session opened" in taken.stdout
    assert "NOT ON DISK YET" in taken.stderr
    foreign.execute("ROLLBACK")
    foreign.close()
    assert say(*arguments).returncode == 0
    assert [len(entries) for entries in SessionEntries(data).all()] == [1]


# From here on: the way to the desk alone, with a station that is not sure.


@pytest.fixture
def configuration() -> StationConfig:
    return config_file.load(config_file.default_path(), here=False)


@pytest.fixture
def client(data: Path, configuration: StationConfig, monkeypatch: pytest.MonkeyPatch) -> DeskClient:
    monkeypatch.setattr(desk_client, "BETWEEN", 0.02)
    data.mkdir()
    return DeskClient(data, lambda: configuration)


@pytest.fixture
def held(data: Path, client: DeskClient) -> Iterator[StationLock]:
    """The folder's lock, as a station holds it that has not said anything yet."""
    lock = StationLock(data)
    lock.take()
    yield lock
    lock.release()


def opening(**more: object) -> dict[str, object]:
    return {"verb": "open", "bed": "chair-1", "reference": "P-1", "by": "Anna", "request": "c" * 32, **more}


class Foreign:
    """Something that answers at the station's address: `answers` one after the other, the last again and again."""

    def __init__(self, data: Path, *answers: Callable[[http.server.BaseHTTPRequestHandler, bytes], None]) -> None:
        left = list(answers)
        self.bodies: list[dict[str, Any]] = []
        self.tokens: list[str | None] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.bodies.append(json.loads(body))
                outer.tokens.append(self.headers["Authorization"])
                (left.pop(0) if len(left) > 1 else left[0])(self, body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        station_file.write(data, self.address, "first")
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def answers(status: int, content: object) -> Callable[[http.server.BaseHTTPRequestHandler, bytes], None]:
    def answer(handler: http.server.BaseHTTPRequestHandler, _: bytes) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


DONE = {"recorded": True, "session": "s", "bed": "chair-1", "entries": [{"number": 1}]}


def test_a_station_that_dies_with_the_request_leaves_no_doubt(
    data: Path, client: DeskClient, held: StationLock
) -> None:
    def die(handler: http.server.BaseHTTPRequestHandler, _: bytes) -> None:
        handler.connection.shutdown(socket.SHUT_RDWR)
        held.release()

    station = Foreign(data, die)
    answer = client.do(opening())
    station.close()
    assert [body["request"] for body in station.bodies] == ["c" * 32]
    # It took the lock and did it itself, under the same number.
    assert answer["recorded"]
    entry = SessionEntries(data).with_request("c" * 32)
    assert entry is not None
    assert entry.session == answer["session"]


def test_a_station_that_was_started_again_is_asked_again(data: Path, client: DeskClient, held: StationLock) -> None:
    def refuse(handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
        station_file.write(data, station.address, "second")
        answers(401, {"error": "unauthorized", "text": "no"})(handler, body)

    station = Foreign(data, refuse, answers(500, b"Internal Server Error"), answers(200, DONE))
    assert client.do(opening()) == DONE
    station.close()
    assert station.tokens == ["Bearer first", "Bearer second", "Bearer second"]
    assert {body["request"] for body in station.bodies} == {"c" * 32}


def test_a_station_that_only_starts_is_waited_for(data: Path, client: DeskClient, held: StationLock) -> None:
    stations = []
    threading.Timer(0.3, lambda: stations.append(Foreign(data, answers(200, DONE)))).start()
    assert client.do(opening()) == DONE
    stations[0].close()


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", [], {}, {"recorded": True}, {**DONE, "recorded": 1}, {**DONE, "entries": []}],
)
@pytest.mark.parametrize("status", [200, 202, 404, 409])
def test_what_is_no_station_is_never_believed(
    data: Path, client: DeskClient, held: StationLock, monkeypatch: pytest.MonkeyPatch, status: int, content: object
) -> None:
    # There is no second attempt; the only one has all the time that it wants.
    monkeypatch.setattr(desk_client, "BETWEEN", 3600)
    station = Foreign(data, answers(status, content))
    with pytest.raises(StationSilent, match="not known whether that was done"):
        client.do(opening())
    station.close()


def test_nobody_answers(data: Path, client: DeskClient, held: StationLock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_client, "PATIENCE", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        station_file.write(data, f"http://127.0.0.1:{silent.getsockname()[1]}", "x")
        with pytest.raises(StationSilent, match=f"--request {'c' * 32}"):
            client.do(opening())
    with socket.socket() as nobody:
        # Bound and never listening: nobody else is given that port meanwhile.
        nobody.bind(("127.0.0.1", 0))
        station_file.write(data, f"http://127.0.0.1:{nobody.getsockname()[1]}", "x")
        with pytest.raises(StationSilent, match=r"did not answer: .*refused"):
            client.do(opening())
    station_file.remove(data)
    with pytest.raises(StationSilent, match="has not said where"):
        client.do(opening())


def test_nobody_answers_has_a_code_of_its_own(data: Path, client: DeskClient, held: StationLock) -> None:
    shorter = "from monitor.cli import desk_client, main; desk_client.PATIENCE = 0.3; main.main()"
    arguments = ["session", "open", "chair-1", "--reference", "P-1", "--data-dir", str(data), "--request", "d" * 32]
    for more in ([], ["--json"]):
        done = subprocess.run(
            [sys.executable, "-c", shorter, *arguments, *more], capture_output=True, text=True, cwd=ROOT, check=False
        )
        assert done.returncode == 4
        if more:
            assert json.loads(done.stdout)["error"] == "silent"
        else:
            assert f"--request {'d' * 32}" in done.stderr


def test_a_refusal_is_final(data: Path, client: DeskClient, held: StationLock) -> None:
    refusal = {"error": "refused", "text": "no", "possible": ["start"], "open": []}
    station = Foreign(data, answers(409, refusal))
    with pytest.raises(StepRefused, match="no") as caught:
        client.do(opening())
    station.close()
    assert caught.value.possible == ("start",)
    assert len(station.bodies) == 1


def test_a_station_that_knows_other_requests_says_so(data: Path, client: DeskClient, held: StationLock) -> None:
    station = Foreign(data, answers(422, {"error": "invalid", "text": "reference: too short"}))
    with pytest.raises(ConfigError, match="reference: too short"):
        client.do(opening())
    station.close()


def test_alone_what_cannot_be_written_was_not_done(
    data: Path, client: DeskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "COMMIT_WITHIN", 0.2)
    client.do(opening())
    foreign = sqlite3.connect(data / "journal.db", isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalUnusable, match="nothing was recorded"):
        client.do({"verb": "note", "session": "chair-1", "text": "x", "by": "Anna", "request": "e" * 32})
    foreign.execute("ROLLBACK")
    foreign.close()
    assert SessionEntries(data).with_request("e" * 32) is None


def test_alone_what_only_the_last_attempt_wrote_was_done(
    data: Path, client: DeskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "COMMIT_WITHIN", 0.0)
    assert client.do(opening())["recorded"]
    assert SessionEntries(data).with_request("c" * 32) is not None


def test_another_user_is_told_whose_it_is(client: DeskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_lock: StationLock) -> str | None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    # Not by the folder's mode: root, who may run this, reads everything.
    monkeypatch.setattr(StationLock, "holder", forbidden)
    with pytest.raises(JournalUnusable, match=r"Permission denied.* as the station's user"):
        client.do(opening())


def test_a_file_is_no_data_folder(data: Path, client: DeskClient) -> None:
    data.rmdir()
    data.touch()
    with pytest.raises(JournalUnusable, match="Not a directory"):
        client.do(opening())


def test_a_configuration_is_needed_only_alone(data: Path, held: StationLock) -> None:
    def none() -> StationConfig:
        raise ConfigError(["there is none"])

    station = Foreign(data, answers(200, DONE))
    assert DeskClient(data, none).do(opening()) == DONE
    station.close()
    held.release()
    with pytest.raises(ConfigError, match="there is none"):
        DeskClient(data, none).do(opening())
    assert not (data / "journal.db").exists()
