"""`infusion-monitor alert`: against a board behind the local API, against a whole station, and without one."""

from __future__ import annotations

import asyncio
import http.server
import json
import signal
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.clock import NS, SystemClock
from drivers.errors import AlertActionRefused, ConfigError, StationSilent
from monitor.alerts.board import STATION, AlertBoard
from monitor.alerts.conditions import AUDIO, AlertEvent, AlertState, Kind, Priority, Why
from monitor.alerts.rules import Profile
from monitor.cli import desk_client
from monitor.cli.desk_client import AlertClient
from monitor.live import BedView, LiveHub
from monitor.storage.history import History
from monitor.storage.lock import StationLock
from monitor.storage.rows import alert_row
from monitor.web import station_file
from monitor.web.app import create_app
from monitor.web.parts import Parts
from monitor.web.server import PageServer
from tests.monitor.program import Start, call, wait_for
from tests.monitor.storage.helpers import commit, database

TOKEN = "the-token-of-this-start"
BEDS = ("chair-1", "chair-2")
ON, ACKNOWLEDGED, PAUSED = AlertState.ON, AlertState.ACKNOWLEDGED, AlertState.PAUSED

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def held(data: Path) -> Iterator[StationLock]:
    """The folder's lock, as a station holds it."""
    lock = StationLock(data)
    lock.take()
    yield lock
    lock.release()


class Disk:
    """Whether what was recorded is on disk in time."""

    takes = True

    async def __call__(self, _within: float) -> bool:
        return self.takes


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
async def board(data: Path, held: StationLock, disk: Disk) -> AsyncIterator[AlertBoard]:
    """The board of a small station that takes commands: one alert stands on chair-1, and one of the station itself."""
    board = AlertBoard(dict.fromkeys(BEDS, Profile()), Profile(), SystemClock())
    for bed, kind, text in (("chair-1", Kind.PHYSIOLOGICAL, "SpO₂ 84 < 88"), (STATION, Kind.TECHNICAL, "disk is full")):
        rule = "spo2_low" if bed else "disk"
        board.detected(bed, [AlertEvent(bed, rule, kind, Priority.HIGH, ON, SystemClock.now_ns(), text)])
    hub = LiveHub([BedView(bed, bed, ()) for bed in BEDS], SystemClock())
    server = PageServer(create_app(Parts(hub, board=board, token=TOKEN, committed=disk)), port=0)
    server.bind()
    station_file.write(data, server.address, TOKEN)
    task = asyncio.create_task(server.serve())
    yield board
    await server.stop()
    await task


def say(data: Path, *arguments: str) -> Done:
    return call("alert", *arguments, "--data-dir", data)


async def said(data: Path, *arguments: str) -> Done:
    """The same while this loop serves."""
    return await asyncio.to_thread(say, data, *arguments)


def told(done: Done, code: int = 0) -> dict[str, Any]:
    """The one JSON object that a command printed."""
    assert (done.returncode, done.stderr) == (code, ""), done.stdout
    [line] = done.stdout.splitlines()
    content: dict[str, Any] = json.loads(line)
    return content


def states(board: AlertBoard, bed: str = "chair-1") -> dict[str, str]:
    return {rule: str(alert.event.state) for rule, alert in board.signals_of(bed).alerts.items()}


async def test_what_stands_is_listed_for_every_bed(data: Path, board: AlertBoard) -> None:
    listed = await said(data, "list")
    assert (listed.returncode, listed.stderr) == (0, "")
    chair, other, station = listed.stdout.splitlines()
    assert chair.startswith("chair-1       high    on            since 20")
    assert chair.endswith("spo2_low: SpO₂ 84 < 88")
    assert other.split() == ["chair-2", "no", "alerts"]
    assert station.startswith("station")
    assert station.endswith("disk: disk is full")
    found = told(await said(data, "list", "station", "--json"))
    assert (found["station_runs"], found["bed"], [alert["rule"] for alert in found["alerts"]]) == (True, "", ["disk"])
    unknown = await said(data, "list", "chair-9")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "there is no bed 'chair-9'; there are: chair-1, chair-2, station" in unknown.stderr


async def test_what_is_done_while_the_disk_refuses_is_done_and_said_to_be_in_memory(
    data: Path, board: AlertBoard, disk: Disk
) -> None:
    disk.takes = False
    done = await said(data, "acknowledge", "chair-1", "--by", "Anna")
    assert done.returncode == 3
    assert done.stdout.startswith("chair-1  acknowledged: SpO₂ 84 < 88\nnow:\n")
    assert "NOT ON DISK YET" in done.stderr
    assert states(board) == {"spo2_low": "acknowledged"}
    paused = told(await said(data, "pause", "chair-1", "audio", "--json"), 3)
    assert (paused["recorded"], paused["audio"]["state"]) == (False, "paused")


async def test_an_alert_is_acknowledged_by_name_and_all_that_stand_without_one(data: Path, board: AlertBoard) -> None:
    board.detected("chair-1", [AlertEvent("chair-1", "hr_high", Kind.PHYSIOLOGICAL, Priority.LOW, ON, 0, "HR 120")])
    done = await said(data, "acknowledge", "chair-1", "spo2_low", "--by", "Anna Weber")
    assert (done.returncode, done.stderr) == (0, "")
    first, now, *lines = done.stdout.splitlines()
    assert (first, now) == ("chair-1  acknowledged: SpO₂ 84 < 88", "now:")
    assert [("acknowledged by Anna Weber" in line, "spo2_low" in line) for line in lines] == [
        (True, True),
        (False, False),
    ]
    again = await said(data, "acknowledge", "chair-1", "spo2_low", "--by", "Anna Weber")
    assert again.returncode == 0
    assert "it was so before" in again.stdout
    assert states(board) == {"spo2_low": "acknowledged", "hr_high": "on"}
    all_of_them = told(await said(data, "acknowledge", "chair-1", "--by", "Ben", "--json"))
    assert [(event["rule"], event["actor"]) for event in all_of_them["told"]] == [("hr_high", "Ben")]
    assert states(board, STATION) == {"disk": "on"}
    told(await said(data, "acknowledge", "station", "--json"))
    assert states(board, STATION) == {"disk": "acknowledged"}


async def test_audio_is_paused_and_switched_on_again(data: Path, board: AlertBoard) -> None:
    paused = await said(data, "pause", "chair-1", "audio", "--by", "Anna", "--seconds", "200")
    assert (paused.returncode, paused.stderr) == (0, "")
    assert "chair-1  paused: Audio paused for 200 s by Anna" in paused.stdout
    [line] = [line for line in (await said(data, "list", "chair-1")).stdout.splitlines() if "audio" in line]
    assert "audio paused by Anna  since 20" in line
    assert line.endswith(" s left")
    on = told(await said(data, "on", "chair-1", "audio", "--json"))
    assert (on["audio"]["state"], on["told"][0]["state"]) == ("on", "on")
    refused = await said(data, "off", "chair-1", "alarm")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "the profile does not let it be switched off" in refused.stderr
    too_long = told(await said(data, "pause", "chair-1", "alarm", "--seconds", "3600", "--json"), 1)
    assert too_long["error"] == "refused"
    assert "at most 300 s" in too_long["text"]
    usage = await said(data, "pause", "chair-1", "lights")
    assert (usage.returncode, usage.stdout) == (2, "")
    wrong = told(await said(data, "pause", "chair-1", "audio", "--by", "\x1b[2J", "--json"), 2)
    assert (wrong["error"], wrong["text"]) == ("invalid", "by: has a character that no text can have")


def test_a_whole_station_is_asked_and_its_journal_once_it_has_ended(
    tmp_path: Path, data: Path, start_station: Start
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        # Bound and never listening: whoever connects is refused for as long as this lasts.
        url = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        site = tmp_path / "site.yaml"
        site.write_text(f"beds: [{{id: chair-1, devices: [{{id: oximeter, driver: nonin, url: '{url}'}}]}}]")
        station = start_station(data, "--config", site)

        def rules() -> list[str]:
            return [alert["rule"] for alert in told(say(data, "list", "chair-1", "--json"))["alerts"]]

        wait_for(rules)
        [rule] = rules()
        assert say(data, "acknowledge", "chair-1", rule, "--by", "Anna").returncode == 0
        assert say(data, "pause", "chair-1", "audio", "--by", "Ben", "--seconds", "300").returncode == 0
        wait_for(lambda: {"Anna", "Ben"} <= {event.actor for event in History(data).alerts(bed="chair-1")})
        station.stop(signal.SIGKILL)

    ended = say(data, "list", "chair-1")
    assert ended.returncode == 0
    assert f"NO STATION RUNS on {data}" in ended.stderr
    alert, audio = ended.stdout.splitlines()
    assert "acknowledged by Anna" in alert
    assert f"{rule}: " in alert
    assert "audio paused by Ben  since 20" in audio
    # Nobody gives a signal now, so that no time is left of a pause.
    assert "left" not in audio
    for arguments in (("acknowledge", "chair-1"), ("pause", "chair-1", "audio"), ("on", "chair-1", "audio")):
        refused = told(say(data, *arguments, "--by", "Anna", "--json"), 1)
        assert refused["error"] == "refused"
        assert f"no station runs on {data}" in refused["text"]


def test_without_a_station_what_stood_is_told_of_the_beds_of_the_journal(data: Path) -> None:
    now = SystemClock.now_ns()

    def event(bed: str, rule: str, state: AlertState, ago: int, **more: Any) -> AlertEvent:
        return AlertEvent(bed, rule, Kind.PHYSIOLOGICAL, Priority.HIGH, state, now - ago * NS, f"{rule} {bed}", **more)

    with database(data) as writer:
        for one in (
            event("chair-2", "spo2_low", ON, 50),
            event("chair-2", "spo2_low", ACKNOWLEDGED, 40, why=Why.OPERATOR, actor="Anna"),
            event("chair-1", "hr_high", ON, 30),
            event("chair-1", "hr_high", AlertState.OFF, 20),
            event("", "disk", ON, 10),
            event("chair-2", AUDIO, PAUSED, 5, actor="Ben", value=60.0),
        ):
            commit(writer, rows=[alert_row(one)])
    lines = [json.loads(line) for line in say(data, "list", "--json").stdout.splitlines()]
    assert {line["station_runs"] for line in lines} == {False}
    assert [(line["bed"], [(it["rule"], it["actor"]) for it in line["alerts"]]) for line in lines] == [
        ("chair-2", [("spo2_low", "Anna")]),
        ("", [("disk", "")]),
    ]
    assert (lines[0]["audio"]["state"], lines[0]["audio"]["by"]) == ("paused", "Ben")
    assert say(data, "list", "chair-1").stdout.split() == ["chair-1", "no", "alerts"]
    assert "disk" in say(data, "list", "station").stdout


def test_without_a_station_and_a_journal_nothing_is_known(tmp_path: Path) -> None:
    done = say(tmp_path / "nowhere", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "has a station ever run there?" in done.stderr
    assert not (tmp_path / "nowhere").exists()


# From here on: the way to the station alone, with one that is not sure.

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]
ASKED = {"verb": "acknowledge", "bed": "chair-1", "by": "Anna"}
SIGNALS = {"audio": {"state": "on"}, "alarm": {"state": "on"}}
ANSWER = {"told": [], "bed": "chair-1", "alerts": [], "recorded": True, **SIGNALS}


@pytest.fixture
def client(data: Path, monkeypatch: pytest.MonkeyPatch) -> AlertClient:
    monkeypatch.setattr(desk_client, "BETWEEN", 0.02)
    return AlertClient(data)


@pytest.fixture
def foreign(data: Path) -> Iterator[Callable[..., list[str]]]:
    """Something that answers at the station's address: `answers` one after the other, the last again and again."""
    servers = []

    def start(*answers: Answer) -> list[str]:
        left, asked = list(answers), []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                asked.append(self.command)
                (left.pop(0) if len(left) > 1 else left[0])(self)

            do_GET = do_POST  # noqa: N815 - the name that the server looks for

            def log_message(self, *_: object) -> None:
                pass

        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        station_file.write(data, f"http://127.0.0.1:{servers[-1].server_port}", TOKEN)
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def answers(status: int, content: object) -> Answer:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hang_up(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("lost", [hang_up, answers(500, b"Internal Server Error"), answers(200, b"half an answ")])
def test_what_may_have_been_done_is_not_said_again_by_itself(
    client: AlertClient, held: StationLock, foreign: Callable[..., list[str]], lost: Answer
) -> None:
    # It could silence what has come on since.
    asked = foreign(lost, answers(200, ANSWER))
    with pytest.raises(StationSilent, match="not known whether that was done"):
        client.do(ASKED)
    assert asked == ["POST"]
    assert client.do(ASKED) == ANSWER


@pytest.mark.parametrize("lost", [hang_up, answers(500, b""), answers(401, {"error": "unauthorized"})])
def test_what_stands_is_asked_again(
    client: AlertClient, held: StationLock, foreign: Callable[..., list[str]], lost: Answer
) -> None:
    asked = foreign(lost, answers(200, {"beds": [ANSWER]}))
    assert client.stands() == [ANSWER]
    assert asked == ["GET", "GET"]


def test_a_station_that_takes_nothing_yet_is_waited_for(
    data: Path, client: AlertClient, held: StationLock, foreign: Callable[..., list[str]]
) -> None:
    timer = threading.Timer(
        0.2, foreign, (answers(401, {"error": "unauthorized"}), answers(503, b""), answers(200, ANSWER))
    )
    timer.start()
    assert client.do(ASKED) == ANSWER
    timer.join()


@pytest.mark.parametrize("content", [b"", b"hello", [], {}, {"beds": [{}]}, {**ANSWER, "audio": {}}, {"beds": 1}])
@pytest.mark.parametrize("status", [200, 404, 409])
def test_what_is_no_station_is_never_believed(
    client: AlertClient,
    held: StationLock,
    foreign: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    content: object,
) -> None:
    # There is no second attempt; the only one has all the time that it wants.
    monkeypatch.setattr(desk_client, "BETWEEN", 3600)
    foreign(answers(status, content))
    with pytest.raises(StationSilent, match="not known whether that was done"):
        client.do(ASKED)
    with pytest.raises(StationSilent, match="does not answer: what answered"):
        client.stands()


def test_a_refusal_and_a_wrong_request_are_told_as_such(
    client: AlertClient, held: StationLock, foreign: Callable[..., list[str]]
) -> None:
    foreign(answers(409, {"error": "refused", "text": "no"}), answers(422, {"error": "invalid", "text": "bed: what?"}))
    with pytest.raises(AlertActionRefused, match="no"):
        client.do(ASKED)
    with pytest.raises(ConfigError, match=r"bed: what\?"):
        client.do(ASKED)


def test_a_station_that_says_nothing_is_not_taken_for_none(
    data: Path, client: AlertClient, held: StationLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_client, "PATIENCE", 0.3)
    with pytest.raises(StationSilent, match="has not said where"):
        client.stands()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        station_file.write(data, f"http://127.0.0.1:{silent.getsockname()[1]}", TOKEN)
        # Nobody listens there: whatever is said is surely not done.
        with pytest.raises(StationSilent, match=r"does not answer: .*refused"):
            client.do(ASKED)
        silent.listen()
        with pytest.raises(StationSilent, match="not known whether that was done"):
            client.do(ASKED)
    held.release()
    assert client.stands() is None
    with pytest.raises(AlertActionRefused, match="no station runs"):
        client.do(ASKED)
