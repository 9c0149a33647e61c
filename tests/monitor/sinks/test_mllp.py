"""A journal on the disk, the forwarder in its thread, and receivers of HL7 messages: a library's, and a hostile one."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator

import hl7.mllp
import pytest

from drivers.clock import NS, SystemClock
from drivers.events import measured
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.hl7.message import id_of
from monitor.sinks.forwarder import FORWARDING, STOPPED, WAITING, Forwarder, resend_file
from monitor.sinks.forwarder_thread import ForwarderThread
from monitor.sinks.hl7_portion import Portions
from monitor.sinks.hl7_settings import Hl7Config, Hl7TlsConfig
from monitor.sinks.influxdb import InfluxdbSink
from monitor.sinks.mllp import TRIES, MllpSink
from monitor.sinks.mllp_link import acknowledgement
from monitor.storage.backlog import Backlog, DeadLetter
from monitor.storage.journal import Journal
from tests.broker import Authority, until
from tests.hl7_receiver import Receiver
from tests.monitor.sinks.helpers import AT


@pytest.fixture
async def journal(tmp_path) -> AsyncIterator[Journal]:
    journal = Journal(tmp_path, commit_every=0.01)
    journal.open()
    yield journal
    await journal.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.stop()


def configured(port: int, **options) -> Hl7Config:
    return Hl7Config(**{"host": "127.0.0.1", "port": port, "every_s": 0.0, **options})


@contextlib.asynccontextmanager
async def thread_of(journal: Journal, sink) -> AsyncIterator[ForwarderThread]:
    data_dir = journal.path.parent
    # An attempt a hundredth of a second: what is to be seen here is not how long it waits.
    jitter = random.Random()
    jitter.uniform = lambda *_: 0.01  # type: ignore[method-assign]
    request = resend_file(data_dir, sink.name)
    forwarder = Forwarder(sink, lambda: Backlog(data_dir), journal, SystemClock(), request=request, jitter=jitter)
    thread = ForwarderThread(forwarder)
    thread.start()
    try:
        yield thread
    finally:
        assert await asyncio.to_thread(thread.stop)


def sending(journal: Journal, port: int, **options) -> contextlib.AbstractAsyncContextManager[ForwarderThread]:
    return thread_of(journal, MllpSink(configured(port, **options), "clinic", journal.path.parent))


def put(journal: Journal, count: int, since: int = 0) -> None:
    for index in range(since, since + count):
        at = AT + index * NS
        journal.record("chair1", "oximeter", [measured("spo2", 90.0 + index % 10, at, at)])


def settled(journal: Journal, sink: str = "hl7") -> bool:
    """Whether all is sent, and the journal knows."""
    with contextlib.closing(Backlog(journal.path.parent)) as backlog:
        return backlog.next(backlog.sink(sink).through).empty and not journal.health.waiting_rows


def letters(journal: Journal) -> list[DeadLetter]:
    with contextlib.closing(Backlog(journal.path.parent)) as backlog:
        return backlog.dead_letters("hl7")


def expected(journal: Journal) -> list[str]:
    """All that is to be told, made in one portion."""
    with contextlib.closing(Backlog(journal.path.parent)) as backlog:
        return Portions(configured(1), "clinic", journal.path.parent).messages(backlog.next(0))


async def test_a_real_receiver_has_everything_in_order(journal) -> None:
    received: list[hl7.Message] = []

    async def serve(reader, writer) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                message = await reader.readmessage()
                received.append(message)
                writer.writemessage(message.create_ack())
                await writer.drain()
        writer.close()

    async with await hl7.mllp.start_hl7_server(serve, "127.0.0.1", 0, encoding="utf-8") as server:
        put(journal, 30)
        low = AlertEvent(
            "chair1", "spo2_low", Kind.PHYSIOLOGICAL, Priority.HIGH, AlertState.ON, AT + 5 * NS, "SpO₂ | 86 < 90"
        )
        journal.record_alerts([low, low._replace(state=AlertState.OFF, at=AT + 9 * NS)])
        await journal.committed(10)
        async with sending(journal, server.sockets[0].getsockname()[1]):
            await until(lambda: len(received) == 32 and settled(journal))
            assert [str(message) for message in received] == expected(journal)
    alerts = [message for message in received if "R40" in str(message.segment("MSH")[9])]
    assert [str(message.segments("OBX")[2][5]) for message in alerts] == ["start", "end"]
    assert len({str(message.segment("OBR")[3]) for message in alerts}) == 1
    assert alerts[0].unescape(str(alerts[0].segments("OBX")[0][5])) == "SpO₂ | 86 < 90"


HOSTILE = [
    "parts",
    "garbage",
    "CA+AA",
    "another",
    "late",
    "none",
    "close",
    "half",
    "unasked",
    "AE: busy",
    "CE",
    "?",
    "",
]


@pytest.mark.parametrize("answer", [*HOSTILE, "all"])
async def test_whatever_a_receiver_does_it_gets_everything_in_order(journal, receiver, answer: str) -> None:
    receiver.answers.extend(HOSTILE if answer == "all" else ["AA", answer])
    put(journal, 30)
    await journal.committed(10)
    async with sending(journal, receiver.port, ack_within=0.3) as thread:
        await until(lambda: settled(journal) and thread.forwarder.status.through > 0)
        await until(lambda: thread.forwarder.status.state == FORWARDING)
        assert receiver.first_times == expected(journal)
        # What was acknowledged is not sent again because of what came after it.
        assert len(receiver.messages) <= 30 + len(HOSTILE)
    assert not letters(journal)


async def test_an_outage_loses_nothing_and_a_restart_goes_on_where_it_was(journal, receiver) -> None:
    put(journal, 5)
    async with sending(journal, receiver.port) as thread:
        await until(lambda: settled(journal))
        await receiver.stop()
        put(journal, 5, 5)
        await until(lambda: thread.forwarder.status.state == WAITING)
        assert f"127.0.0.1:{receiver.port}" in thread.forwarder.status.detail
    put(journal, 5, 10)
    await receiver.start()
    async with sending(journal, receiver.port):
        await until(lambda: len(receiver.messages) == 15 and settled(journal))
    assert receiver.messages == expected(journal)


async def test_what_was_cut_off_is_sent_again_as_it_was(journal, receiver) -> None:
    put(journal, 10)
    await journal.committed(10)
    receiver.answers.extend(["AA"] * 4)
    receiver.always = "none"
    async with sending(journal, receiver.port):
        await until(lambda: len(receiver.messages) == 5)
    receiver.always = "AA"
    async with sending(journal, receiver.port):
        await until(lambda: settled(journal) and len(receiver.first_times) == 10)
    # By its id a receiver knows what it has.
    assert receiver.messages[5:10] == receiver.messages[:5]
    assert len({id_of(message) for message in receiver.messages}) == 10


async def test_what_is_refused_is_kept_and_does_not_hold_up_the_others(journal, receiver) -> None:
    receiver.answers.extend(["AA", "AR: unknown patient", "AA", *["AE: no such unit"] * TRIES, "CR"])
    put(journal, 6)
    await journal.committed(10)
    async with sending(journal, receiver.port) as thread:
        await until(lambda: settled(journal) and len(letters(journal)) == 3)
        told = expected(journal)
        assert receiver.first_times == told
        assert [(it.line, it.reason) for it in letters(journal)] == [
            (told[1], "AR: unknown patient"),
            (told[3], f"AE: no such unit ({TRIES} times)"),
            (told[4], "CR"),
        ]
        assert thread.forwarder.status.refused == 3
        # Asked for, and one of them is still not taken.
        receiver.answers.extend(["AA", "AE: no such unit", "AA"])
        before = len(receiver.messages)
        resend_file(journal.path.parent, "hl7").touch()
        await until(lambda: len(letters(journal)) == 1)
        assert [it.line for it in letters(journal)] == [told[3]]
        assert receiver.messages[before:] == [told[1], told[3], told[4]]


async def test_it_ends_at_once_while_the_receiver_says_nothing(journal, receiver) -> None:
    receiver.always = "none"
    put(journal, 1)
    async with sending(journal, receiver.port) as thread:
        await until(lambda: receiver.messages)
        assert await asyncio.to_thread(thread.stop)
    assert not settled(journal)


async def test_a_receiver_that_closes_after_each_answer_is_not_waited_for(journal, receiver, caplog) -> None:
    receiver.always = "unasked"
    put(journal, 30)
    await journal.committed(10)
    async with sending(journal, receiver.port):
        await until(lambda: settled(journal))
    assert receiver.messages == expected(journal)
    assert receiver.connections == 30
    assert not caplog.messages


async def test_an_idle_connection_that_was_closed_is_opened_again_without_a_word(journal, receiver, caplog) -> None:
    receiver.answers.append("unasked")
    async with sending(journal, receiver.port):
        put(journal, 1)
        await until(lambda: settled(journal))
        put(journal, 1, 1)
        await until(lambda: len(receiver.messages) == 2 and settled(journal))
    assert receiver.connections == 2
    assert not caplog.messages


async def test_over_tls_both_know_each_other(journal, tmp_path) -> None:
    authority, stranger = Authority(tmp_path / "ca"), Authority(tmp_path / "other", "a stranger")
    certificate, key = authority.issue("receiver", "IP:127.0.0.1")
    own = dict(zip(("cert_file", "key_file"), map(str, authority.issue("station", "DNS:station")), strict=True))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.certificate)
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_REQUIRED
    receiver = Receiver()
    await receiver.start(context)
    put(journal, 3)
    wrong = Hl7TlsConfig(ca_file=str(stranger.certificate), **own)
    async with sending(journal, receiver.port, tls=wrong) as thread:
        await until(lambda: thread.forwarder.status.state == STOPPED)
        assert "is its authority in `ca_file`?" in thread.forwarder.status.detail
    async with sending(journal, receiver.port, tls=Hl7TlsConfig(ca_file="nowhere.pem")) as thread:
        await until(lambda: thread.forwarder.status.state == STOPPED)
        assert "nowhere.pem: No such file" in thread.forwarder.status.detail
    assert not receiver.messages
    right = Hl7TlsConfig(ca_file=str(authority.certificate), **own)
    async with sending(journal, receiver.port, tls=right):
        await until(lambda: len(receiver.messages) == 3 and settled(journal))
    await receiver.stop()


async def test_two_sinks_have_a_cursor_each(journal, receiver, fake, monkeypatch) -> None:
    monkeypatch.setenv("INFLUX_TOKEN", fake.token)
    from monitor.config import InfluxdbConfig

    influxdb = InfluxdbConfig(url=fake.url, org=fake.org, bucket=fake.bucket, token_env="INFLUX_TOKEN")
    await receiver.stop()
    put(journal, 10)
    async with sending(journal, receiver.port) as hl7_, thread_of(journal, InfluxdbSink(influxdb, "clinic")):
        await until(lambda: len(fake.points) == 10 and settled(journal, "influxdb"))
        await until(lambda: hl7_.forwarder.status.state == WAITING)
        assert not settled(journal)
        await receiver.start()
        await until(lambda: len(receiver.messages) == 10 and settled(journal))


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ("MSH|^~\\&|\rMSA|AA|17|fine", ("AA", "17", "fine")),
        ("MSH#^~\\&#\nMSA#CE#17\nERR#|", ("CE", "17", "")),
        (
            "MSH|^~\\&|\rMSA|AE|17\rERR|||102^Data type error|E|||bad|see log",
            ("AE", "17", "102^Data type error; bad; see log"),
        ),
        ("MSH|^~\\&|\rMSA|AR|17|no\rERR|||\rMSA|AA|18", ("AR", "17", "no")),
        ("MSH|^~\\&|\rMSA|AA", ("AA", "", "")),
        ("MSH|^~\\&|\rMSA|OK|17", None),
        ("MSH|^~\\&|ACK", None),
        ("MSH", None),
        ("MSA|AA|17", None),
        ("", None),
        ("\xff\x00", None),
    ],
)
def test_acknowledgements(frame: str, said: tuple | None) -> None:
    assert acknowledgement(frame.encode("latin-1")) == said
