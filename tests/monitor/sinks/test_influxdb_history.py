"""Reading back from a real InfluxDB: the same rows as from the journal."""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.clock import NS
from drivers.errors import ConfigError, SinkBusy, SinkRefused
from drivers.events import Cause, Reading, Validity, measured, missing
from monitor.alerts.conditions import AUDIO, AlertEvent, AlertState, Kind, Priority, Why
from monitor.config import InfluxdbConfig
from monitor.sinks import influxdb_question
from monitor.sinks.influxdb_history import InfluxdbHistory
from monitor.sinks.line_protocol import alert_lines, vitals_lines
from monitor.storage.backlog import Backlog
from monitor.storage.history import History
from monitor.storage.journal import Journal
from tests.broker import Authority
from tests.influxd import Influxd

NOW = 1_790_000_000 * NS
DAY = 86_400 * NS


def history(
    tmp_path: Path, url: str, bucket: str, token: str, org: str = Influxd.org, patience: float = 60
) -> InfluxdbHistory:
    file = tmp_path / "token"
    file.write_text(f"{token}\n")
    return InfluxdbHistory(InfluxdbConfig(url=url, org=org, bucket=bucket, token_file=str(file)), patience=patience)


@pytest.fixture
def records(tmp_path: Path, server: Influxd, bucket: str) -> InfluxdbHistory:
    return history(tmp_path, server.url, bucket, server.token)


def put(server: Influxd, bucket: str, site: str, readings: list[tuple]) -> None:
    server.write("\n".join(vitals_lines(site, readings).lines), bucket=bucket)


async def forwarded(folder: Path, server: Influxd, bucket: str, site: str, recorded: dict, alerts: list) -> None:
    """Record all of that in a journal, and forward it."""
    journal = Journal(folder)
    journal.open()
    for (bed, device), readings in recorded.items():
        journal.record(bed, device, readings)
    journal.record_alerts(alerts)
    await journal.close()
    with contextlib.closing(Backlog(folder)) as backlog:
        through = 0
        while not (portion := backlog.next(through)).empty:
            lines = vitals_lines(site, portion.readings).lines
            lines += alert_lines(site, portion.alerts, portion.alert_places)
            server.write("\n".join(lines), bucket=bucket)
            through = portion.through


def some_readings(seed: int) -> list[Reading]:
    """Two hours of all that a reading can be, at times that need every nanosecond; each vital at its own."""
    rng = random.Random(seed)
    readings = []
    for vital in ("spo2", "pulse_rate", "nibp_sys", "perfusion_index", "a_vital_of_tomorrow"):
        for second in sorted(rng.sample(range(7200), 150)):
            at = NOW + second * NS + rng.choice((0, 1, 999_999_999, rng.randrange(NS)))
            value = rng.choice((rng.uniform(20, 100), float(rng.randrange(20, 100)), 0.1 + 0.2, -0.0, 1e22, 5e-324))
            readings.append(
                rng.choice(
                    (
                        Reading(vital, value, Validity.VALID, at, at + 7),
                        Reading(vital, value, Validity.VALID, at, at + 7, Cause.AGE_UNKNOWN),
                        Reading(vital, value, Validity.QUESTIONABLE, at, at + 7, "artifact,low_perfusion"),
                        Reading(vital, None, Validity.INVALID, at, at + 7, Cause.SENSOR_OFF),
                        Reading(vital, None, Validity.INVALID, at, at + 7),
                    )
                )
            )
    return readings


async def test_the_rows_are_those_of_the_journal(
    tmp_path: Path, server: Influxd, bucket: str, records: InfluxdbHistory
) -> None:
    recorded = {
        (bed, device): some_readings(seed)
        for seed, (bed, device) in enumerate([("chair-2", "monitor"), ("chair-1", "oximeter"), ("chair-1", "cuff")])
    }
    await forwarded(tmp_path, server, bucket, "clinic", recorded, [])
    expected = [row._replace(received_at=None) for row in History(tmp_path).readings()]
    assert len(expected) == 3 * 5 * 150
    # The journal has those of one moment in the order in which their series began.
    expected.sort(key=lambda row: (row.observed_at, row.bed, row.device, row.vital))
    rows = list(records.readings())
    assert {site for site, _ in rows} == {"clinic"}
    assert [tuple(row) for _, row in rows] == [tuple(row) for row in expected]
    assert [str(row.value) for _, row in rows] == [str(row.value) for row in expected]
    assert all(isinstance(row.validity, Validity) for _, row in rows)


async def test_alerts_are_those_of_the_journal(
    tmp_path: Path, server: Influxd, bucket: str, records: InfluxdbHistory
) -> None:
    def event(rule: str, state: AlertState, at: int, text: str, *more: object) -> AlertEvent:
        return AlertEvent("chair-1", rule, Kind.PHYSIOLOGICAL, Priority.HIGH, state, at, text, *more)

    events = [
        event("spo2_low", AlertState.ON, NOW + 1, "SpO₂ 86 < 90", "spo2", "", 86.0, 90.0),
        event("spo2_low", AlertState.OFF, NOW + 999_999_999, "SpO₂ 92", "spo2", "", 92.0, 90.0),
        event("a_rule", AlertState.ON, NOW + 2 * NS, 'a\nb\r\nc\rd\te\\f\\n"g" <&> 😀 ', "", "oximeter"),
        event("b_rule", AlertState.ON, NOW + 2 * NS, ""),
        event("a_rule", AlertState.ACKNOWLEDGED, NOW + 2 * NS, "of the same moment"),
        AlertEvent("chair-0", "lost", Kind.TECHNICAL, Priority.LOW, AlertState.OFF, NOW + 2 * NS, "-", "", "ox", 0.1),
        event("a_rule", AlertState.OFF, NOW + 300 * DAY, "back"),
        AlertEvent(
            *("chair-1", AUDIO, Kind.OTHER, Priority.NONE, AlertState.PAUSED, NOW + 301 * DAY, "for 120 s", "", ""),
            *(120.0, None, AUDIO, Why.OPERATOR, 'Kim "KM"\nMöller', "2026-11-25-chair-1"),
        ),
    ]
    await forwarded(tmp_path, server, bucket, "clinic", {}, events)
    assert list(History(tmp_path).alerts()) == events
    in_order = sorted(events, key=lambda event: (event.at, event.bed))
    assert list(records.alerts()) == [("clinic", event) for event in in_order]
    assert list(records.alerts(bed="chair-0")) == [("clinic", events[5])]
    assert list(records.alerts(since=NOW + 2 * NS + 1)) == [("clinic", events[6]), ("clinic", events[7])]
    assert [event for _, event in records.alerts(until=NOW + 999_999_999)] == events[:1]
    assert [event for _, event in records.alerts(bed="chair-1", until=NOW + 2 * NS + 1)] == events[:5]
    priorities = {type(event.priority) for _, event in records.alerts()}
    assert priorities == {Priority}


@pytest.fixture(scope="module")
def two_sites(server: Influxd) -> str:
    server.create_bucket("two sites", 0)
    north = [
        ("a", "ox", "spo2", 97.0, 0, "", 10),
        ("b", "ox", "spo2", None, 2, "sensor_off", 20),
        ("a", "ox", "pulse_rate", 71.5, 0, "", 30),
        ("a", "ox", "spo2", 96.0, 0, "", 40),
    ]
    put(server, "two sites", "north", north)
    put(server, "two sites", "south", [("a", "ox", "spo2", 5.0, 1, "implausible", 20)])
    return "two sites"


@pytest.mark.parametrize(
    ("question", "times"),
    [
        ({}, [10, 20, 20, 30, 40]),
        ({"bed": "a"}, [10, 20, 30, 40]),
        ({"vital": "spo2"}, [10, 20, 20, 40]),
        ({"bed": "a", "vital": "spo2"}, [10, 20, 40]),
        ({"site": "south"}, [20]),
        ({"site": "north", "bed": "b"}, [20]),
        ({"since": 20}, [20, 20, 30, 40]),
        ({"since": -(2**63), "until": 30}, [10, 20, 20]),
        ({"since": 41, "until": 2**63 - 1}, []),
        ({"since": 30, "until": 30}, []),
        ({"since": 30, "until": 20}, []),
        ({"bed": "c"}, []),
        ({"bed": ""}, []),
        # What would be something else than a name if it stood in the question.
        ({"bed": 'a" or true or r.bed == "'}, []),
        ({"bed": "a\\"}, []),
        ({"bed": "${string(v: 1)}"}, []),
        ({"site": 'north") |> drop(columns: ["bed"]) //'}, []),
        ({"vital": 'spo2" or true or r._field == "x'}, []),
        ({"bed": "é\n\U0001f600"}, []),
    ],
)
def test_questions(tmp_path: Path, server: Influxd, two_sites: str, question: dict, times: list[int]) -> None:
    rows = list(history(tmp_path, server.url, two_sites, server.token).readings(**question))
    assert [row.observed_at for _, row in rows] == times


def test_beds_of_one_name_at_two_sites_stay_two(server: Influxd, bucket: str, records: InfluxdbHistory) -> None:
    put(server, bucket, "south", [("a", "ox", "spo2", 90.0, 0, "", NOW), ("a", "ox", "spo2", None, 2, "", NOW + 1)])
    put(server, bucket, "north", [("a", "ox", "spo2", 80.0, 1, "artifact", NOW)])
    assert [(site, row.value, row.validity) for site, row in records.readings()] == [
        ("north", 80.0, Validity.QUESTIONABLE),
        ("south", 90.0, Validity.VALID),
        ("south", None, Validity.INVALID),
    ]


def test_years_are_gone_through_in_pieces_that_never_hold_much(
    server: Influxd, bucket: str, records: InfluxdbHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One a day for a month, then a thousand in a millisecond, nothing for ten years, one a second, and all at once.
    moments = [NOW + day * DAY for day in range(30)]
    moments += [NOW + 40 * DAY + n * 1000 for n in range(1000)]
    moments += [NOW + 4000 * DAY + n * NS for n in range(500)]
    rows = [(f"bed-{at % 3}", "ox", "spo2", float(n % 100), 0, "", at) for n, at in enumerate(moments)]
    rows += [(f"many-{n:03}", "ox", "spo2", 50.0, 0, "", NOW + 4001 * DAY) for n in range(300)]
    put(server, bucket, "clinic", rows)
    sizes = []

    def window(self: influxdb_question.Question, since: int, until: int) -> list | None:
        points = unspied(self, since, until)
        sizes.append(None if points is None else len(points))
        return points

    unspied = influxdb_question.Question._window
    monkeypatch.setattr(influxdb_question.Question, "_window", window)
    monkeypatch.setattr(influxdb_question, "_POINTS", 20)
    read = [(row.bed, row.device, row.vital, row.value, 0, "", row.observed_at) for _, row in records.readings()]
    assert read == sorted(rows, key=lambda row: (row[-1], row[0]))
    # Only what is of one nanosecond cannot be divided.
    assert [size for size in sizes if size is not None and size > 80] == [300]
    # What lies between is stepped over, not gone through.
    assert sizes.count(0) < 20


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('vitals,bed=a,device=b,site=s spo2="high" 1', "could not convert"),
        ("vitals,bed=a,device=b,site=s spo2_validity=7i 1", "'7'"),
        ('alerts,bed=a,site=s,rule=r,priority=awful,kind=technical state="on",text="" 1', "'awful'"),
        ("alerts,bed=a,site=s,rule=r,priority=low,kind=technical value=1 1", "'state'"),
    ],
    ids=["text", "validity", "priority", "no state"],
)
def test_what_no_station_wrote_is_not_taken_for_a_record(
    server: Influxd, bucket: str, records: InfluxdbHistory, line: str, why: str
) -> None:
    server.write(line, bucket=bucket)
    with pytest.raises(SinkRefused, match="a point that no station wrote") as caught:
        list(records.readings() if line.startswith("vitals") else records.alerts())
    assert why in str(caught.value)


def test_a_token_that_may_only_write_cannot_read(tmp_path: Path, server: Influxd) -> None:
    token = server.write_only_token()
    with pytest.raises(SinkRefused, match="may not read it, as one that may only write") as caught:
        list(history(tmp_path, server.url, server.bucket, token).readings())
    assert token not in str(caught.value)
    reading = server.read_only_token()
    assert list(history(tmp_path, server.url, server.bucket, reading).alerts()) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"bucket": "nowhere"}, "there is no bucket 'nowhere'"),
        ({"org": "nobody"}, 'organization name "nobody" not found'),
        ({"token": "not-a-token-of-it"}, "it does not know the token"),
    ],
)
def test_what_a_person_must_mend(tmp_path: Path, server: Influxd, change: dict, text: str) -> None:
    place = {"url": server.url, "bucket": server.bucket, "token": server.token, **change}
    with pytest.raises(SinkRefused) as caught:
        list(history(tmp_path, **place).readings())
    assert text in str(caught.value)
    assert place["token"] not in str(caught.value)


def test_a_token_that_is_none_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        list(history(tmp_path, "http://127.0.0.1:1", "b", "s3cret\nX-Header: 1").readings())
    assert "s3cret" not in str(caught.value)


def test_a_server_that_is_down_or_silent(tmp_path: Path, server: Influxd, bucket: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}"
        with pytest.raises(SinkBusy, match="Connection refused"):
            list(history(tmp_path, nobody, bucket, server.token).readings())
    server.freeze()
    try:
        with pytest.raises(SinkBusy, match=r"no answer for 0\.2 s"):
            list(history(tmp_path, server.url, bucket, server.token, patience=0.2).readings())
    finally:
        server.thaw()


@contextlib.contextmanager
def answering(answer: bytes, certificate: tuple[Path, Path] | None = None) -> Iterator[str]:
    """The URL of something that answers that to every question, and closes the connection."""
    tls = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*certificate)

    def secured(plain: socket.socket) -> socket.socket:
        return plain if tls is None else tls.wrap_socket(plain, server_side=True)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = listener.accept()
                with plain, contextlib.suppress(ssl.SSLError), secured(plain) as connection:
                    head = b""
                    while b"\r\n\r\n" not in head:
                        head += connection.recv(65536)
                    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                    body = head.split(b"\r\n\r\n", 1)[1]
                    while len(body) < length:
                        body += connection.recv(65536)
                    connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http{'s' if tls else ''}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


TABLE = b",result,table,_time\r\n,_result,0,2026-01-01T00:00:00Z\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", SinkBusy, "503: Service Unavailable"),
        (b"HTTP/1.1 429 Too Many\r\nContent-Length: 2\r\n\r\n{}", SinkBusy, "answers 429"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>", SinkRefused, "the address of an InfluxDB"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://h/\r\nContent-Length: 0\r\n\r\n", SinkRefused, "the address of an"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n<html>\n<p>\n\n", SinkBusy, "no answer of InfluxDB"),
        (CHUNKED + b"%x\r\n%b\r\n" % (len(TABLE), TABLE), SinkBusy, "InfluxDB at http://127.0.0.1"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + TABLE, SinkBusy, "in the middle of a table"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + TABLE[:-9], SinkBusy, "only a part of one"),
        (
            b"HTTP/1.1 200 OK\r\n\r\n" + TABLE + b"\r\n\r\n,error,reference\r\n,out of memory,897\r\n",
            SinkBusy,
            "InfluxDB broke off its answer: out of memory",
        ),
        (b"nothing that is HTTP\r\n\r\n", SinkBusy, "InfluxDB at http://127.0.0.1"),
        (b"", SinkBusy, "InfluxDB at http://127.0.0.1"),
    ],
)
def test_answers_that_a_real_one_does_not_give_on_demand(
    tmp_path: Path, answer: bytes, error: type[Exception], text: str
) -> None:
    with answering(answer) as url, pytest.raises(error) as caught:
        list(history(tmp_path, url, "vitals", "s3cret-token").readings())
    assert text in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_only_a_server_of_the_authority_is_asked(tmp_path: Path) -> None:
    authority, another = Authority(tmp_path / "a"), Authority(tmp_path / "b")
    certificate = authority.issue("server", "IP:127.0.0.1")
    (tmp_path / "token").write_text("s3cret")
    place = {"org": "o", "bucket": "b", "token_file": str(tmp_path / "token")}
    unavailable = b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n"
    with answering(unavailable, certificate) as url:
        for ca_file in (None, str(another.certificate), str(tmp_path / "nothing")):
            config = InfluxdbConfig(url=url, ca_file=ca_file, **place)
            with pytest.raises(SinkRefused, match=r"SSLError.*is its authority in `ca_file`\?"):
                list(InfluxdbHistory(config).readings())
        config = InfluxdbConfig(url=url, ca_file=str(authority.certificate), **place)
        with pytest.raises(SinkBusy, match="503"):
            list(InfluxdbHistory(config).readings())


async def test_what_codecs_make_comes_back_too(
    tmp_path: Path, server: Influxd, bucket: str, records: InfluxdbHistory
) -> None:
    readings = [measured("spo2", 97.0, NOW, NOW), measured("spo2", 5.0, NOW + 1, NOW), missing("spo2", NOW + 2, NOW)]
    await forwarded(tmp_path, server, bucket, "clinic", {("a", "ox"): readings}, [])
    assert [(row.value, row.validity, row.cause) for _, row in records.readings()] == [
        (97.0, Validity.VALID, ""),
        (5.0, Validity.QUESTIONABLE, "implausible"),
        (None, Validity.INVALID, "no_data"),
    ]
