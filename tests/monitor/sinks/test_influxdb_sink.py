"""The sink for InfluxDB: each answer and its consequence, first from a fake, then from a real server."""

from __future__ import annotations

import contextlib
import email.utils
import logging
import random
import ssl
import time
import traceback
from collections.abc import AsyncIterator, Iterator

import pytest

from drivers.clock import NS, ManualClock
from drivers.errors import SinkBusy, SinkRefused
from drivers.events import Waveform
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.config import InfluxdbConfig
from monitor.sessions.entries import Entry
from monitor.sessions.entries import Kind as SessionKind
from monitor.sinks.influxdb import LINES, InfluxdbSink
from monitor.sinks.influxdb_post import retry_after
from monitor.storage.backlog import Portion, RecordedWaveform
from monitor.storage.device_events import DeviceEvent
from tests.broker import Authority
from tests.fake_influxdb import Answer, FakeInfluxdb, refusal
from tests.influxd import Influxd
from tests.monitor.sinks.helpers import in_order

AT = 1_767_225_600 * NS
HTML = b"<html>nothing here</html>"


def config(server: FakeInfluxdb | Influxd, monkeypatch: pytest.MonkeyPatch, **changes: str) -> InfluxdbConfig:
    monkeypatch.setenv("INFLUX_TOKEN", server.token)
    named = {} if "token_file" in changes else {"token_env": "INFLUX_TOKEN"}
    return InfluxdbConfig(**{"url": server.url, "org": server.org, "bucket": server.bucket, **named, **changes})


@contextlib.asynccontextmanager
async def sink_of(configured: InfluxdbConfig, **options) -> AsyncIterator[InfluxdbSink]:
    sink = InfluxdbSink(configured, "clinic", **options)
    try:
        yield sink
    finally:
        await sink.close()


@pytest.fixture
async def sink(fake: FakeInfluxdb, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[InfluxdbSink]:
    async with sink_of(config(fake, monkeypatch), clock=ManualClock(AT)) as sink:
        yield sink


def lines(count: int, since: int = 0) -> list[str]:
    return [f"vitals,bed=chair1 spo2={90 + index % 10}.0 {AT + index}" for index in range(since, since + count)]


async def test_lines_are_posted_packed_in_nanoseconds_5000_at_a_time(fake, sink) -> None:
    assert await sink.send_lines(lines(2 * LINES + 1)) == ([], 0)
    assert [len(post.lines) for post in fake.posts] == [LINES, LINES, 1]
    assert {post.path for post in fake.posts} == {"/api/v2/write"}
    assert fake.posts[0].query == {"org": fake.org, "bucket": fake.bucket, "precision": "ns"}
    assert fake.posts[0].headers["content-encoding"] == "gzip"
    assert len(fake.points) == 2 * LINES + 1
    assert fake.connections == 1


async def test_a_portion_is_sent_whole_and_nothing_makes_no_post(fake, sink) -> None:
    assert await sink.send(Portion(1, 1, [], [], [], [])) == ([], 0)
    assert not fake.posts
    portion = some_portion()
    await sink.send(portion)
    assert {series[0] for series, _ in fake.points} == {"vitals", "alerts", "sessions", "devices", "waveforms"}
    assert len(fake.posts) == 1


async def test_lines_are_made_as_they_are_sent(fake, sink) -> None:
    asked = 0

    def made() -> Iterator[str]:
        nonlocal asked
        for line in lines(3 * LINES):
            asked += 1
            assert asked <= LINES * (len(fake.posts) + 1)
            yield line

    await sink.send_lines(made())
    assert asked == 3 * LINES


@pytest.mark.parametrize("bad", [{0}, {4999}, {2499, 2500}, set(random.Random(1).sample(range(5000), 7))])
async def test_a_malformed_line_is_found_among_5000(fake, sink, bad) -> None:
    all_of_them = lines(5000)
    for index in bad:
        all_of_them[index] = f"vitals,bed= spo2=1.0 {AT + index}"
    sent = await sink.send_lines(all_of_them)
    assert [line for line, _ in sent.refused] == [all_of_them[index] for index in sorted(bad)]
    assert all("unable to parse" in reason for _, reason in sent.refused)
    assert sent.too_old == 0
    assert {at for _, at in fake.points} == {AT + index for index in set(range(5000)) - bad}
    # Two posts a halving for each, and the first.
    assert len(fake.posts) <= 1 + 2 * 13 * len(bad)


async def test_a_post_that_is_too_large_is_sent_in_parts(fake, sink) -> None:
    fake.longest = 10_000
    giant = f'alerts,bed=chair1 text="{"x" * 10_000}" {AT}'
    sent = await sink.send_lines([*lines(1000), giant, *lines(1000, 1000)])
    assert [line for line, _ in sent.refused] == [giant]
    assert "413" in sent.refused[0][1]
    assert len(fake.points) == 2000


async def test_a_413_from_a_proxy_is_the_same(fake, sink) -> None:
    fake.answers.append(Answer(413, HTML))
    assert await sink.send_lines(lines(10)) == ([], 0)
    assert [len(post.lines) for post in fake.posts] == [10, 5, 5]


async def test_lines_too_old_are_counted_and_the_others_written(fake, sink) -> None:
    fake.oldest = AT + 30
    assert await sink.send_lines(lines(100)) == ([], 30)
    assert len(fake.points) == 70
    assert len(fake.posts) == 1


async def test_after_a_type_conflict_the_lines_with_the_field_are_refused_and_the_rest_is_sure(fake, sink) -> None:
    await sink.send_lines([f"vitals,bed=chair1 spo2=97i,temp=36i {AT}"])
    fake.oldest = AT + 3
    mixed = [
        f"vitals,bed=chair1 pulse_rate=70.0 {AT + 1}",
        f"vitals,bed=chair1 spo2=97.0 {AT + 4}",
        f"vitals,bed=chair1 pulse_rate=71.0,spo2=98.0 {AT + 5}",
        f"vitals,bed=chair1 pulse_rate=72.0 {AT + 6}",
        f"vitals,bed=chair1 temp=36.5 {AT + 7}",
        f"vitals,bed=chair1 spo2_validity=2i {AT + 8}",
        f"alerts,bed=chair1 spo2=1.0 {AT + 9}",
    ]
    sent = await sink.send_lines(mixed)
    assert sorted(line for line, _ in sent.refused) == sorted([mixed[1], mixed[2], mixed[4]])
    assert {line: '"temp"' in reason for line, reason in sent.refused} == {
        mixed[1]: False,
        mixed[2]: False,
        mixed[4]: True,
    }
    # The server kept silent about this one as long as there was a conflict.
    assert sent.too_old == 1
    assert {at - AT for _, at in fake.points} == {0, 6, 8, 9}
    # One for each conflict, and one that tells no conflict any more.
    assert len(fake.posts) == 1 + 2 + 1


async def test_a_conflict_about_a_field_that_no_line_has_is_treated_as_unknown(fake, sink) -> None:
    text = 'partial write: field type conflict: input field "resp" on measurement "vitals" is type float'
    fake.answers.extend([refusal(422, "unprocessable entity", text)] * 2)
    sent = await sink.send_lines(lines(2))
    assert [line for line, _ in sent.refused] == lines(1)
    assert {at for _, at in fake.points} == {AT + 1}


async def test_an_unknown_422_is_halved(fake, sink) -> None:
    unknown = refusal(422, "unprocessable entity", "failure writing points to database: shard is being deleted")
    fake.answers.append(unknown)
    assert await sink.send_lines(lines(10)) == ([], 0)
    assert len(fake.points) == 10
    fake.always = unknown
    [(line, reason)] = (await sink.send_lines(lines(1))).refused
    assert (line, "shard is being deleted" in reason) == (lines(1)[0], True)


PERSON = [
    (refusal(401, "unauthorized", "unauthorized access"), "influxdb.token_env"),
    (refusal(403, "forbidden", "insufficient permissions for write"), "may not write"),
    (refusal(404, "not found", 'bucket "vitals" not found'), "influxdb setup"),
    (Answer(401, HTML), "is influxdb.url the address of an InfluxDB 2"),
    (Answer(404, HTML), "is influxdb.url the address of an InfluxDB 2"),
    (Answer(400, HTML), "is influxdb.url the address of an InfluxDB 2"),
    (Answer(400, b'{"error": "bad request"}'), "is influxdb.url the address of an InfluxDB 2"),
    (Answer(400, b'{"message": "bad request"}'), "is influxdb.url the address of an InfluxDB 2"),
    (Answer(400, b"[1]"), "is influxdb.url the address of an InfluxDB 2"),
    (Answer(422, b""), "is influxdb.url the address of an InfluxDB 2"),
    (Answer(405), "is influxdb.url the address of an InfluxDB 2"),
    (refusal(402, "payment", "the plan has ended"), "the plan has ended"),
    (Answer(200, HTML), "is influxdb.url the address of an InfluxDB 2"),
    (Answer(202), "is influxdb.url the address of an InfluxDB 2"),
]


@pytest.mark.parametrize(("answer", "told"), PERSON, ids=lambda value: str(getattr(value, "status", ""))[:4])
async def test_what_a_person_must_mend(fake, sink, answer, told) -> None:
    fake.answers.append(answer)
    with pytest.raises(SinkRefused) as caught:
        await sink.send_lines(lines(100))
    assert told in str(caught.value)
    assert fake.url in str(caught.value)
    assert len(fake.posts) == 1
    assert await sink.send_lines(lines(100)) == ([], 0)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(fake, sink, status) -> None:
    async with FakeInfluxdb() as other:
        fake.answers.append(Answer(status, headers=(("Location", f"{other.url}/api/v2/write"),)))
        with pytest.raises(SinkRefused, match=f"redirects to {other.url}"):
            await sink.send_lines(lines(1))
        assert not other.posts


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
@pytest.mark.parametrize("body", [b"", HTML, b'{"code": "unavailable", "message": "too many writes"}'])
async def test_what_may_pass_by_itself(fake, sink, status, body) -> None:
    fake.answers.append(Answer(status, body, (("Retry-After", "7"),)))
    with pytest.raises(SinkBusy, match=f"answers {status}") as caught:
        await sink.send_lines(lines(3))
    assert caught.value.retry_after == 7
    assert ("too many writes" in str(caught.value)) == (b"too many" in body)
    assert await sink.send_lines(lines(3)) == ([], 0)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        (" 1.5 ", 1.5),
        ("-3", None),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("1e9", None),
        ("٣", None),
        (email.utils.formatdate(AT / NS + 90, usegmt=True), 90.0),
        (email.utils.formatdate(AT / NS - 90, usegmt=True), 0.0),
        ("Wed, 99 Foo 2026 10:00:00 GMT", None),
    ],
)
def test_retry_after(header, seconds) -> None:
    assert retry_after(header, AT) == seconds


@pytest.mark.parametrize("how", ["half", "reset"])
@pytest.mark.parametrize("writes", [False, True])
async def test_an_answer_that_breaks_off_is_asked_for_again_and_nothing_is_there_twice(fake, sink, how, writes) -> None:
    fake.answers.append(refusal(503, "unavailable", "x" * 100)._replace(how=how, writes=writes))
    with pytest.raises(SinkBusy):
        await sink.send_lines(lines(10))
    assert len(fake.points) == (10 if writes else 0)
    await sink.send_lines(lines(10))
    assert len(fake.points) == 10


async def test_a_server_that_says_nothing(fake, monkeypatch) -> None:
    async with sink_of(config(fake, monkeypatch), patience=0.2) as sink:
        fake.answers.append(Answer(how="never"))
        with pytest.raises(SinkBusy, match=r"no answer for 0\.2 s"):
            await sink.send_lines(lines(1))


async def test_an_answer_without_end_is_cut_off(fake, sink) -> None:
    fake.answers.append(Answer(503, how="endless"))
    with pytest.raises(SinkBusy, match="answers 503") as caught:
        await sink.send_lines(lines(1))
    assert len(str(caught.value)) < 1000
    await sink.send_lines(lines(1))


async def test_a_server_that_is_away_and_comes_back(fake, sink) -> None:
    await sink.send_lines(lines(1))
    await fake.stop()
    # The connection that was kept, and a new one.
    for told in ("the connection broke off", "cannot be reached: Connection refused"):
        with pytest.raises(SinkBusy, match=told):
            await sink.send_lines(lines(2))
    await fake.start()
    await sink.send_lines(lines(2))
    assert len(fake.points) == 2


async def test_a_number_that_is_not_finite_is_refused_before_it_is_sent(fake, sink) -> None:
    readings = [
        ("chair1", "oximeter", vital, value, 0, "", AT) for vital, value in (("spo2", float("inf")), ("temp", 36.5))
    ]
    [(line, reason)] = (await sink.send(Portion(1, 1, readings, [], [], []))).refused
    assert "spo2=inf" in line
    assert "inf" in reason
    assert list(fake.points.values()) == [{"temp": 36.5}]


async def test_half_of_a_surrogate_pair_stops_nothing(fake, sink) -> None:
    assert await sink.send_lines([f'alerts,bed=chair1 text="a\udc80b" {AT}']) == ([], 0)
    assert list(fake.points.values()) == [{"text": "a?b"}]


async def test_the_token_is_in_no_log_and_no_error(fake, sink, caplog) -> None:
    """Not even where the other side sends it back, and with everything logged that can be."""
    await sink.send_lines(lines(1))
    for name in (None, *logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, name)
    echo = f"Authorization: Token {fake.token}"
    texts = []
    for answer in [
        *(refusal(status, "invalid", echo) for status in (400, 401, 403, 404, 405, 413, 422, 429, 500)),
        *(Answer(status, echo.encode()) for status in (200, 302, 400, 401, 413, 500)),
        Answer(500, echo.encode(), how="half"),
        Answer(how="reset"),
    ]:
        fake.answers.append(answer)
        try:
            texts.append(str(await sink.send_lines(lines(1))))
        except (SinkBusy, SinkRefused) as error:
            texts += traceback.format_exception(error)
    told = "".join(texts)
    assert "***" in told
    assert fake.token not in told
    assert fake.token not in caplog.text
    assert fake.token not in repr(sink)


async def test_a_token_with_a_line_break_at_its_end_is_one(fake, monkeypatch) -> None:
    async with sink_of(config(fake, monkeypatch)) as sink:
        monkeypatch.setenv("INFLUX_TOKEN", f"{fake.token}\n")
        assert await sink.send_lines(lines(1)) == ([], 0)


@pytest.mark.parametrize("token", ["", " \n", "se\ncret-token", "se\x00cret-token", "sécret-token"])
async def test_what_is_no_token_is_refused_and_not_shown(fake, monkeypatch, token) -> None:
    async with sink_of(config(fake, monkeypatch)) as sink:
        # An environment cannot hold every one of them, a file can.
        monkeypatch.setattr(InfluxdbConfig, "token", lambda _: token)
        with pytest.raises(SinkRefused, match="token") as caught:
            await sink.send_lines(lines(1))
        assert "cret" not in "".join(traceback.format_exception(caught.value))


async def test_a_token_that_is_not_there_is_named(fake, monkeypatch) -> None:
    async with sink_of(config(fake, monkeypatch)) as sink:
        monkeypatch.delenv("INFLUX_TOKEN")
        with pytest.raises(SinkRefused, match="INFLUX_TOKEN"):
            await sink.send_lines(lines(1))


async def test_a_token_file_that_was_mended_needs_no_restart(fake, monkeypatch, tmp_path) -> None:
    file = tmp_path / "token"
    file.write_text("an-old-one\n")
    async with sink_of(config(fake, monkeypatch, token_file=str(file))) as sink:
        with pytest.raises(SinkRefused):
            await sink.send_lines(lines(1))
        file.write_text(f"{fake.token}\n")
        await sink.send_lines(lines(1))


async def test_proxies_of_the_environment_are_not_for_it(fake, monkeypatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with sink_of(config(fake, monkeypatch)) as sink:
        await sink.send_lines(lines(1))


async def test_tls(monkeypatch, tmp_path) -> None:
    authority = Authority(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("server", "IP:127.0.0.1"))
    async with FakeInfluxdb(context) as fake:
        trusted = config(fake, monkeypatch, ca_file=str(authority.certificate))
        async with sink_of(trusted) as sink:
            await sink.send_lines(lines(1))
        async with sink_of(config(fake, monkeypatch)) as sink:
            with pytest.raises(SinkRefused, match=r"influxdb\.ca_file"):
                await sink.send_lines(lines(1))
        async with sink_of(config(fake, monkeypatch, ca_file=str(tmp_path / "none.pem"))) as sink:
            with pytest.raises(SinkRefused, match=r"none\.pem"):
                await sink.send_lines(lines(1))
        async with sink_of(config(fake, monkeypatch, url=fake.url.replace("https", "http"))) as sink:
            with pytest.raises(SinkBusy, match="broke off"):
                await sink.send_lines(lines(1))


def some_portion(seconds: int = 3) -> Portion:
    at = time.time_ns() // NS * NS - 3600 * NS
    readings = [
        ("chair 1" if bed else "chair2", "oximeter", vital, value, 0, "", at + second * NS)
        for second in range(seconds)
        for bed in range(2)
        for vital, value in (("spo2", 97.0), ("pulse_rate", 70.0 + second))
    ]
    readings.append(("chair2", "oximeter", "temp", None, 2, "sensor_off", at))
    alerts = [
        AlertEvent("chair2", "spo2_low", Kind.PHYSIOLOGICAL, Priority.HIGH, state, at + index, 'SpO₂ "86" < 90')
        for index, state in enumerate(AlertState)
    ]
    content = {"reference": "P-17", "planned_minutes": 40, "profile": "default"}
    entries = [Entry("s1", 1, SessionKind.OPENED, at, at + 5, "Kim", "chair2", content, "r1")]
    runs = [RecordedWaveform("chair2", "oximeter", Waveform("pleth", tuple(range(75)), 75.0, at, at))]
    events = [
        DeviceEvent("chair2", "oximeter", "link", "", "lost", "unplugged", at),
        DeviceEvent("chair2", "oximeter", "status", "low_battery", "on", "low battery", at),
    ]
    places = map(in_order, (alerts, entries, events))
    return Portion(1, 1, readings, alerts, runs, entries, events, *places)


def count(server: Influxd, bucket: str) -> int:
    return sum(row["_value"] for row in server.query(f'from(bucket: "{bucket}") |> range(start: 0) |> count()'))


async def test_real_a_portion_that_is_sent_twice_is_there_once(server, monkeypatch) -> None:
    async with sink_of(config(server, monkeypatch)) as sink:
        portion = some_portion()
        assert await sink.send(portion) == ([], 0)
        once = count(server, server.bucket)
        # Each valid reading one field, the invalid one two; a sample each; an alert has a state and a text, an opened
        # session ten, a device event two or, with a code, three; and these have their time and order as well.
        assert once == 12 + 2 + 75 + (2 + 2) * len(AlertState) + (10 + 2) + (2 + 2) + (3 + 2)
        server.kill()
        with pytest.raises(SinkBusy):
            await sink.send(portion)
        server.start()
        assert await sink.send(portion) == ([], 0)
        assert count(server, server.bucket) == once
        [found] = server.query(
            f'from(bucket: "{server.bucket}") |> range(start: 0) |> filter(fn: (r) => r._field == "spo2" '
            'and r.bed == "chair 1") |> last()'
        )
        assert (found["_value"], found["_time"]) == (97.0, portion.readings[-2][6])


async def test_real_malformed_lines_are_found(server, monkeypatch) -> None:
    server.create_bucket("malformed", 0)
    async with sink_of(config(server, monkeypatch, bucket="malformed")) as sink:
        good = lines(5000)
        bad = {17: "nonsense", 2500: f"vitals,bed=chair1 spo2=nan {AT}", 4999: f"vitals,bed=chair1 spo2=1 {2**63 - 1}"}
        sent = await sink.send_lines([bad.get(index, line) for index, line in enumerate(good)])
        assert [line for line, _ in sent.refused] == list(bad.values())
        assert count(server, "malformed") == 4997


async def test_real_conflicts_in_two_shards_and_a_line_too_old(server, monkeypatch) -> None:
    server.create_bucket("conflicts", 40 * 86_400)
    now = time.time_ns()
    before = now - 30 * 86_400 * NS
    async with sink_of(config(server, monkeypatch, bucket="conflicts")) as sink:
        assert await sink.send_lines([f"c,a=b x=1 {now}", f"c,a=b y=1i {before}"]) == ([], 0)
        sent = await sink.send_lines(
            [f"c,a=b x=1i {now}", f"c,a=b y=1 {before}", f"c,a=b z=1 {now}", f"c,a=b z=1 {now - 50 * 86_400 * NS}"]
        )
        assert sorted(line for line, _ in sent.refused) == sorted([f"c,a=b x=1i {now}", f"c,a=b y=1 {before}"])
        assert sent.too_old == 1
        assert count(server, "conflicts") == 3


async def test_real_what_a_person_must_mend(server, monkeypatch) -> None:
    for changes, told in (
        ({"bucket": "none"}, "influxdb.bucket"),
        ({"org": "none"}, "influxdb.org"),
    ):
        async with sink_of(config(server, monkeypatch, **changes)) as sink:
            with pytest.raises(SinkRefused, match="404") as caught:
                await sink.send_lines(lines(1))
            assert told in str(caught.value)
    for token, status in ((server.read_only_token(), "403"), ("wrong", "401")):
        async with sink_of(config(server, monkeypatch)) as sink:
            monkeypatch.setenv("INFLUX_TOKEN", token)
            with pytest.raises(SinkRefused, match=status):
                await sink.send_lines(lines(1))
    async with sink_of(config(server, monkeypatch)) as sink:
        monkeypatch.setenv("INFLUX_TOKEN", server.write_only_token())
        assert await sink.send_lines(lines(1)) == ([], 0)


async def test_real_tls_to_a_server_without(server, monkeypatch) -> None:
    async with sink_of(config(server, monkeypatch, url=server.url.replace("http", "https"))) as sink:
        with pytest.raises(SinkBusy, match="SSL"):
            await sink.send_lines(lines(1))


async def test_real_a_frozen_server(server, monkeypatch) -> None:
    async with sink_of(config(server, monkeypatch), patience=0.2) as sink:
        server.freeze()
        try:
            with pytest.raises(SinkBusy, match="no answer"):
                await sink.send_lines(lines(1))
        finally:
            server.thaw()
    async with sink_of(config(server, monkeypatch)) as sink:
        await sink.send_lines(lines(1))
