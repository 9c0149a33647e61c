"""`infusion-monitor influxdb`, and `readings` and `alerts --from influxdb`, beside a real InfluxDB."""

from __future__ import annotations

import asyncio
import contextlib
import json
import stat
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.clock import NS
from drivers.errors import ConfigError, SinkBusy, SinkRefused
from drivers.events import Cause, measured, missing
from monitor import config_file
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.cli import dead_letters
from monitor.cli.influxdb import SINK
from monitor.sinks.forwarder import resend_file
from monitor.sinks.line_protocol import alert_lines, vitals_lines
from monitor.storage.backlog import Backlog, SinkRow
from monitor.storage.journal import Journal
from tests.influxd import Influxd, InfluxdRefusal
from tests.monitor.program import call
from tests.monitor.storage.helpers import inode

NOW = 1_790_000_000 * NS
BEDS = """\
site: north
beds:
  - id: chair-1
    devices: [{id: ox, driver: nonin, url: /dev/ttyUSB0}]
"""


@pytest.fixture
def new_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Influxd]:
    """One that nobody has set up."""
    monkeypatch.setattr(Influxd, "_set_up", lambda _: None)
    with Influxd(tmp_path / "influxd") as server:
        yield server


@pytest.fixture(autouse=True)
def _manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLUX_TOKEN", Influxd.token)
    monkeypatch.delenv("INFLUX_PASSWORD", raising=False)


def setup(folder: Path, server: Influxd, *more: str, bucket: str) -> subprocess.CompletedProcess[str]:
    place = ("--url", server.url, "--org", server.org, "--bucket", bucket)
    return call("influxdb", "setup", *place, *more, cwd=folder)


def tokens(folder: Path) -> list[str]:
    return [(folder / "infusion-data" / name).read_text().strip() for name in ("influxdb.token", "influxdb-read.token")]


def test_set_up_makes_a_bucket_and_two_tokens_and_the_configuration(
    tmp_path: Path, server: Influxd, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = setup(tmp_path, server, "--retention", "90d", bucket="one")
    assert (done.returncode, done.stderr) == (0, "")
    assert "bucket one: made; it keeps points 90 days" in done.stdout
    writes, reads = tokens(tmp_path)
    for token in (writes, reads, server.token):
        assert token not in done.stdout
    for file in (tmp_path / "infusion-data").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    # What they may do, and that setting up wrote nothing.
    everything = 'from(bucket: "one") |> range(start: 0)'
    assert server.query(everything, token=reads) == []
    server.write(f"vitals,bed=a spo2=97 {NOW}", bucket="one", token=writes)
    assert len(server.query(everything, token=reads)) == 1
    with pytest.raises(InfluxdRefusal, match="insufficient permissions"):
        server.write("vitals,bed=a spo2=97 1", bucket="one", token=reads)
    with pytest.raises(InfluxdRefusal, match="could not find bucket"):
        server.query(everything, token=writes)
    with pytest.raises(InfluxdRefusal, match="insufficient permissions"):
        server.write("vitals,bed=a spo2=97 1", token=writes)

    # The lines that it prints are all that is needed.
    lines = done.stdout[done.stdout.index("influxdb:\n") :]
    file = tmp_path / "site.yaml"
    file.write_text(BEDS + lines)
    monkeypatch.chdir(tmp_path)
    section = config_file.load(file).influxdb
    assert section is not None
    assert (section.url, section.org, section.bucket) == (server.url, server.org, "one")
    assert (section.token(), section.read_token()) == (writes, reads)


def test_set_up_again_changes_nothing(tmp_path: Path, server: Influxd) -> None:
    assert setup(tmp_path, server, bucket="two").returncode == 0
    before = tokens(tmp_path)
    count = len(known_tokens(server))
    again = setup(tmp_path, server, "--retention", "36h", bucket="two")
    assert again.returncode == 0
    assert "bucket two: is there; it keeps points for ever, not 36 hours as asked for: left as it is" in again.stdout
    assert again.stdout.count("works, and is left as it is") == 2
    assert tokens(tmp_path) == before
    assert len(known_tokens(server)) == count


def known_tokens(server: Influxd) -> list[dict]:
    found: list[dict] = json.loads(server._ask("GET", "/api/v2/authorizations"))["authorizations"]
    return found


def test_a_token_that_the_server_does_not_know_is_replaced_and_kept_aside(tmp_path: Path, server: Influxd) -> None:
    assert setup(tmp_path, server, bucket="three").returncode == 0
    file = tmp_path / "infusion-data" / "influxdb.token"
    file.write_text("the-token-of-another-server\n")
    done = setup(tmp_path, server, bucket="three")
    assert done.returncode == 0
    assert "did not know the one that was there, which is now infusion-data/influxdb.token.old" in done.stdout
    assert file.with_name("influxdb.token.old").read_text() == "the-token-of-another-server\n"
    server.write("vitals,bed=a spo2=97 1", bucket="three", token=tokens(tmp_path)[0])
    assert not list(file.parent.glob(".*"))


@pytest.mark.parametrize("option", ["--write-token-to", "--read-token-to"])
def test_a_token_for_something_else_is_never_overwritten(tmp_path: Path, server: Influxd, option: str) -> None:
    file = tmp_path / "mine"
    token = server.write_only_token() if option == "--write-token-to" else server.read_only_token()
    file.write_text(token)
    done = setup(tmp_path, server, option, "mine", bucket="four")
    assert done.returncode == 1
    assert "mine: its token is for something else than" in done.stderr
    assert option in done.stderr
    assert token not in done.stdout + done.stderr
    assert file.read_text() == token


def test_an_empty_file_is_filled(tmp_path: Path, server: Influxd) -> None:
    (tmp_path / "mine").touch()
    done = setup(tmp_path, server, "--write-token-to", "mine", bucket="ten")
    assert (done.returncode, done.stderr) == (0, "")
    assert "token for writing mine: made, and works\n" in done.stdout
    server.write("vitals,bed=a spo2=97 1", bucket="ten", token=(tmp_path / "mine").read_text().strip())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["infusion-data", "mine"]


def test_a_file_that_holds_no_token_is_never_overwritten(tmp_path: Path, server: Influxd) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(BEDS)
    done = setup(tmp_path, server, "--write-token-to", "config.yaml", bucket="five")
    assert done.returncode == 2
    assert "config.yaml: is there, and is no file with a token" in done.stderr
    assert file.read_text() == BEDS


def test_a_token_that_cannot_be_stored_is_taken_back(tmp_path: Path, server: Influxd) -> None:
    (tmp_path / "mine").write_text("the-token-of-another-server")
    (tmp_path / "mine.old").mkdir()
    count = len(known_tokens(server))
    done = setup(tmp_path, server, "--write-token-to", "mine", bucket="eleven")
    assert (done.returncode, done.stderr) == (2, "mine: Is a directory\n")
    assert len(known_tokens(server)) == count
    assert (tmp_path / "mine").read_text() == "the-token-of-another-server"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "mine.old"]


def test_no_token_is_made_where_none_can_be_stored(tmp_path: Path, server: Influxd) -> None:
    (tmp_path / "folder").write_text("")
    count = len(known_tokens(server))
    done = setup(tmp_path, server, "--write-token-to", "folder/token", bucket="six")
    assert done.returncode == 2
    assert "folder/token: " in done.stderr
    assert len(known_tokens(server)) == count


@pytest.mark.parametrize(
    ("more", "code", "text"),
    [
        (("--url", "http://192.0.2.1:8086"), 2, "http:// would send tokens in clear over the network"),
        (("--url", "localhost:8086"), 2, "expected http(s)://host:port"),
        (("--url", "http://me:pw@localhost:8086"), 2, "--url"),
        (("--bucket", ""), 2, "--bucket"),
        (("--retention", "59m"), 2, "--retention 59m: expected 48h"),
        (("--retention", "0h"), 2, "--retention 0h: expected 48h"),
        (("--retention", "36501d"), 2, "at most 36500d"),
        (("--token-env", "NO_SUCH_VARIABLE"), 2, "the environment has no variable NO_SUCH_VARIABLE"),
        (("--token-file", "nothing"), 2, "--token-file nothing: there is no such file"),
        (("--write-token-to", "a", "--read-token-to", "./a"), 2, "--read-token-to: is the file of"),
        (("--onboard",), 2, "--onboard needs --username"),
        (("--onboard", "--username", "me"), 1, "is set up already"),
        (("--org", "nobody"), 1, "there is no organisation 'nobody'"),
        (("--bucket", "_mine"), 1, "Buckets may not start with underscore"),
        (("--url", "http://127.0.0.1:1"), 1, "Connection refused"),
    ],
)
def test_what_set_up_refuses(
    tmp_path: Path, server: Influxd, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...], code: int, text: str
) -> None:
    monkeypatch.setenv("INFLUX_PASSWORD", "a long password")
    done = setup(tmp_path, server, *more, bucket="seven")
    assert (done.returncode, done.stdout.count("token")) == (code, 0)
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "infusion-data").exists()


@pytest.mark.parametrize("kind", ["unknown", "write", "read"])
def test_set_up_with_a_token_that_may_not_manage(
    tmp_path: Path, server: Influxd, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    token = {"unknown": str, "write": server.write_only_token, "read": server.read_only_token}[kind]() or "unknown-one"
    monkeypatch.setenv("INFLUX_TOKEN", token)
    done = setup(tmp_path, server, bucket="eight")
    assert done.returncode == 1
    assert "take an operator or an all-access token" in done.stderr
    assert token not in done.stdout + done.stderr


def test_set_up_with_an_all_access_token_as_the_page_of_influxdb_makes_it(tmp_path: Path, server: Influxd) -> None:
    org = server._ids["org"]
    user = known_tokens(server)[0]["userID"]
    permissions = [
        {"action": action, "resource": {"type": kind, "orgID": org} | ({"id": org} if kind == "orgs" else {})}
        for action in ("read", "write")
        for kind in ("authorizations", "buckets", "orgs", "tasks", "telegrafs", "dashboards")
    ] + [{"action": action, "resource": {"type": "users", "id": user}} for action in ("read", "write")]
    order = {"orgID": org, "permissions": permissions}
    file = tmp_path / "all-access"
    file.write_text(json.loads(server._ask("POST", "/api/v2/authorizations", order))["token"] + "\n")
    done = setup(tmp_path, server, "--token-file", "all-access", bucket="nine")
    assert (done.returncode, done.stderr) == (0, "")
    assert file.read_text().strip() not in done.stdout


def test_a_new_server_is_set_up_from_nothing(
    tmp_path: Path, new_server: Influxd, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = setup(tmp_path, new_server, bucket="vitals")
    assert done.returncode == 1
    assert "is new, and nobody has set it up: say `--onboard --username NAME`" in done.stderr
    monkeypatch.setenv("INFLUX_PASSWORD", "short")
    done = setup(tmp_path, new_server, "--onboard", "--username", "nurse", bucket="vitals")
    assert done.returncode == 1
    assert "passwords must be between" in done.stderr
    monkeypatch.setenv("INFLUX_PASSWORD", "a long password")
    done = setup(tmp_path, new_server, "--onboard", "--username", "nurse", "--retention", "52w", bucket="vitals")
    assert (done.returncode, done.stderr) == (0, "")
    assert "it keeps points 364 days" in done.stdout
    writes, reads = tokens(tmp_path)
    assert writes not in done.stdout
    new_server.write(f"vitals,bed=a spo2=97 {NOW + 60 * NS}", token=writes)
    assert new_server.query('from(bucket: "vitals") |> range(start: 0)', token=reads)


RECORDED = {
    "north": [
        ("chair-1", [measured("spo2", 97.0, NOW + 1, NOW), missing("spo2", NOW + 2 * NS, NOW, Cause.SENSOR_OFF)])
    ],
    "south": [("chair-9", [measured("spo2", 5.0, NOW + NS, NOW), measured("pulse_rate", 71.5, NOW + 3 * NS, NOW)])],
}
ALERT = AlertEvent(
    "chair-1", "spo2_low", Kind.PHYSIOLOGICAL, Priority.HIGH, AlertState.ON, NOW + 5, "SpO₂ 86 < 90", "spo2", "", 86.0
)


@pytest.fixture
async def head_office(tmp_path: Path, server: Influxd) -> Path:
    """A configuration; a journal of the site north beside it; and an InfluxDB with north and south."""
    bucket = tmp_path.name
    server.create_bucket(bucket, 0)
    for site, beds in RECORDED.items():
        journal = Journal(tmp_path / site)
        journal.open()
        for bed, readings in beds:
            journal.record(bed, "ox", readings)
        journal.record_alerts([ALERT] if site == "north" else [])
        await journal.close()
        with contextlib.closing(Backlog(tmp_path / site)) as backlog:
            portion = backlog.next(0)
        lines = vitals_lines(site, portion.readings).lines + alert_lines(site, portion.alerts, portion.alert_places)
        server.write("\n".join(lines), bucket=bucket)
    file = tmp_path / "office.yaml"
    section = f"""
        influxdb:
          url: {server.url}
          org: {server.org}
          bucket: {bucket}
          token_env: NOT_ON_THIS_MACHINE
          read_token_env: INFLUX_TOKEN
        """
    file.write_text(f"{BEDS}data_dir: {tmp_path / 'north'}\n{textwrap.dedent(section)}")
    return file


def objects(*args: str | Path) -> list[dict]:
    done = call(*args, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_records_from_influxdb_are_those_of_the_journal(head_office: Path) -> None:
    journal = objects("readings", "--config", head_office)
    there = objects("readings", "--config", head_office, "--from", "influxdb", "--site", "north")
    assert len(journal) == 2
    assert there == [{"site": "north"} | row | {"received_at": None} for row in journal]
    journal = objects("alerts", "--config", head_office)
    assert objects("alerts", "--config", head_office, "--from", "influxdb") == [{"site": "north"} | journal[0]]


def test_records_of_all_sites_as_text(head_office: Path) -> None:
    done = call("readings", "--from", "influxdb", "--config", head_office)
    assert done.stdout.splitlines() == [
        "2026-09-21T14:13:20.000000Z  north  chair-1  ox  spo2 97 %",
        "2026-09-21T14:13:21.000000Z  south  chair-9  ox  spo2 5 %  questionable implausible",
        "2026-09-21T14:13:22.000000Z  north  chair-1  ox  spo2 -- %  invalid sensor_off",
        "2026-09-21T14:13:23.000000Z  south  chair-9  ox  pulse_rate 71.5 /min",
    ]
    done = call("alerts", "--from", "influxdb", "--config", head_office, "--bed", "chair-1", "--since", "2026-09-21")
    assert done.stdout == "2026-09-21T14:13:20.000000Z  north  chair-1  high    on            SpO₂ 86 < 90\n"
    some = ("--vital", "spo2", "--bed", "chair-9", "--since", "2026-09-21T00:00:00Z")
    assert len(objects("readings", "--from", "influxdb", "--config", head_office, *some)) == 1
    assert objects("readings", "--from", "influxdb", "--config", head_office, "--since", "1h") == []


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (("--site", "north"), 2, "--site is for --from influxdb"),
        (("--from", "influxdb", "--data-dir", "."), 2, "--data-dir is for --from journal"),
        (("--from", "influxdb", "--vital", "mood"), 2, "there is no vital 'mood'"),
        (("--from", "prometheus"), 2, "'prometheus' is not one of"),
    ],
)
def test_what_the_records_commands_refuse(head_office: Path, args: tuple[str, ...], code: int, text: str) -> None:
    done = call("readings", "--config", head_office, *args)
    assert (done.returncode, done.stdout) == (code, "")
    assert text in done.stderr


def test_records_from_an_influxdb_that_no_configuration_names(
    tmp_path: Path, head_office: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "without.yaml"
    file.write_text(BEDS)
    done = call("alerts", "--from", "influxdb", "--config", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert "has no section `influxdb`" in done.stderr
    monkeypatch.delenv("INFLUX_TOKEN")
    done = call("alerts", "--from", "influxdb", "--config", head_office)
    assert done.returncode == 2
    assert "influxdb.read_token_env: the environment has no variable INFLUX_TOKEN" in done.stderr
    monkeypatch.setenv("INFLUX_TOKEN", "s3cret-unknown")
    done = call("alerts", "--from", "influxdb", "--config", head_office)
    assert done.returncode == 1
    assert "it does not know the token (401)" in done.stderr
    assert "s3cret" not in done.stderr


REFUSED = [("vitals,bed=a spo2=97 1", "field type conflict"), ('alerts text="a\nb" 2', "no such thing")]


async def with_dead_letters(folder: Path) -> Journal:
    """A running station's journal, with two of them."""
    journal = Journal(folder, commit_every=0.0)
    journal.open()
    journal.record_dead_letters(SINK, REFUSED, NOW)
    return journal


def waiting(folder: Path) -> int:
    with contextlib.closing(Backlog(folder)) as backlog:
        return len(backlog.dead_letters(SINK))


async def committed(folder: Path, count: int) -> None:
    async with asyncio.timeout(60):
        while waiting(folder) != count:
            await asyncio.sleep(0.01)


async def test_dead_letters_are_listed(tmp_path: Path) -> None:
    journal = await with_dead_letters(tmp_path)
    await journal.close()
    done = call("influxdb", "dead-letters", "--data-dir", tmp_path)
    assert done.stdout == textwrap.dedent(
        """\
        1  2026-09-21T14:13:20.000000Z  field type conflict
            vitals,bed=a spo2=97 1
        2  2026-09-21T14:13:20.000000Z  no such thing
            alerts text="a
        b" 2
        """
    )
    found = objects("influxdb", "dead-letters", "--data-dir", tmp_path)
    assert [(letter["line"], letter["reason"]) for letter in found] == REFUSED
    assert {letter["at"] for letter in found} == {"2026-09-21T14:13:20.000000Z"}


async def test_without_a_station_nothing_is_sent_again(tmp_path: Path) -> None:
    journal = await with_dead_letters(tmp_path)
    await journal.close()
    done = call("influxdb", "resend", "--data-dir", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"no station runs on {tmp_path}: start it" in done.stderr
    assert not resend_file(tmp_path, SINK).exists()


async def test_without_dead_letters_there_is_nothing_to_do(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.open()
    await journal.close()
    for command in ("resend", "dead-letters"):
        done = call("influxdb", command, "--data-dir", tmp_path)
        assert (done.returncode, done.stdout) == (0, "no dead letters\n")
    assert call("influxdb", "dead-letters", "--json", "--data-dir", tmp_path).stdout == ""
    done = call("influxdb", "dead-letters", "--data-dir", tmp_path / "nowhere")
    assert done.returncode == 1
    assert "No such file or directory" in done.stderr


async def request(folder: Path) -> None:
    """Wait until the station is asked, and take the request as it does."""
    async with asyncio.timeout(60):
        while not resend_file(folder, SINK).exists():
            await asyncio.sleep(0.01)
    resend_file(folder, SINK).unlink()


async def test_the_running_station_is_asked_and_what_came_of_it_is_told(tmp_path: Path) -> None:
    journal = await with_dead_letters(tmp_path)
    await committed(tmp_path, 2)
    asking = asyncio.create_task(asyncio.to_thread(call, "influxdb", "resend", "--data-dir", tmp_path))
    await request(tmp_path)
    journal.record_resent([1, 2], NOW, inode(tmp_path))
    done = await asking
    await journal.close()
    assert (done.returncode, done.stdout) == (0, "2 of 2 dead letters were taken\n")


@pytest.mark.parametrize(
    ("state", "detail", "text"),
    [("forwarding", "", "no such thing"), ("waiting", "InfluxDB: Connection refused", "InfluxDB: Connection refused")],
)
async def test_what_is_refused_again_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    state: str,
    detail: str,
    text: str,
) -> None:
    monkeypatch.setattr(dead_letters, "_OUTCOME_SECONDS", 0)
    journal = await with_dead_letters(tmp_path)
    await committed(tmp_path, 2)
    asking = asyncio.create_task(asyncio.to_thread(dead_letters.send_again, tmp_path, SINK))
    async with asyncio.timeout(60):
        while not resend_file(tmp_path, SINK).exists():
            await asyncio.sleep(0.01)
    journal.record_sink(SinkRow(SINK, 5, state, detail, NOW, 0), inode(tmp_path))
    journal.record_resent([1], NOW, inode(tmp_path))
    await committed(tmp_path, 1)
    await request(tmp_path)
    with pytest.raises(SinkRefused) as caught:
        await asking
    await journal.close()
    assert capsys.readouterr().out == "1 of 2 dead letters were taken\n"
    assert str(caught.value) == f"1 still wait (`infusion-monitor influxdb dead-letters` lists them): {text}"


async def test_a_station_that_takes_no_requests_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "_REQUEST_SECONDS", 0.2)
    journal = await with_dead_letters(tmp_path)
    await committed(tmp_path, 2)
    with pytest.raises(SinkBusy, match="does its configuration have a section `influxdb`"):
        await asyncio.to_thread(dead_letters.send_again, tmp_path, SINK)
    assert not resend_file(tmp_path, SINK).exists()
    await journal.close()


def test_a_token_never_stands_in_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(BEDS + "influxdb: {url: http://localhost, org: o, bucket: b, token: s3cret}\n")
    with pytest.raises(ConfigError, match=r"influxdb\.token: unknown key"):
        config_file.load(file)
