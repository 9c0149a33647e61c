"""What a screen elsewhere hears of alerts, and of the station's end, over a real mosquitto."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from drivers.clock import ManualClock
from drivers.transports.mqtt import MqttSettings
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.alerts.rules import Signals
from monitor.alerts.signals import Acknowledge, Pause, SignalState, apply, operate
from monitor.notify import mqtt
from monitor.notify.alert_topics import GONE_AFTER, AlertTopics, MqttNotifier
from monitor.notify.mqtt import PUBLISHING, STOPPED, WAITING, Publisher
from tests.broker import Broker, until
from tests.monitor.notify.receiver import alert

BED, EVENTS = "clinic/alerts/chair-1", "clinic/alerts/chair-1/events"
SIGNALS = Signals()


@pytest.fixture(autouse=True)
def _short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "FIRST_DELAY", 0.05)
    monkeypatch.setattr(mqtt, "LONGEST_DELAY", 0.2)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as started:
        yield started


class Board:
    """What the station has of its beds' signals."""

    def __init__(self, broker: Broker, clock: ManualClock) -> None:
        self.states: dict[str, SignalState] = {}
        topics = AlertTopics(["chair-1", "chair-2"], lambda: self.states, clock)
        self.publisher = Publisher(
            f"mqtt://127.0.0.1:{broker.port}/clinic",
            MqttSettings(),
            "station",
            topics.present,
            will=topics.will,
            last_words=topics.last_words,
        )
        self.notifier = MqttNotifier(self.publisher, topics)

    def happens(self, *changes: AlertEvent) -> None:
        bed = changes[0].bed
        self._told(bed, *apply(SIGNALS, self.states.get(bed, SignalState()), changes, 0.0))

    def does(self, bed: str, action: Acknowledge | Pause) -> None:
        self._told(bed, *operate(SIGNALS, self.states[bed], bed, action, 1.0, 2_000_000_000))

    def _told(self, bed: str, state: SignalState, events: list[AlertEvent]) -> None:
        self.states[bed] = state
        self.notifier.notify(events)


@pytest.fixture
def board(broker: Broker, clock: ManualClock) -> Board:
    return Board(broker, clock)


class Screen:
    """A screen elsewhere: every message, and whether the broker had kept it."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bool, dict[str, Any]]] = []

    @contextlib.asynccontextmanager
    async def watching(self, broker: Broker) -> AsyncIterator[None]:
        async with broker.client() as client:
            await client.subscribe("clinic/#", qos=1)
            task = asyncio.create_task(self._listen(client))
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _listen(self, client: Any) -> None:
        async for message in client.messages:
            self.heard.append((str(message.topic), message.retain, json.loads(message.payload)))

    def on(self, topic: str) -> list[dict[str, Any]]:
        return [told for where, _, told in self.heard if where == topic]

    @property
    def statuses(self) -> list[str]:
        return [told["status"] for told in self.on("clinic/station")]


@contextlib.asynccontextmanager
async def running(board: Board) -> AsyncIterator[None]:
    task = asyncio.ensure_future(board.notifier.run())
    try:
        await until(lambda: board.notifier.state == PUBLISHING)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_stands_is_kept_and_each_change_is_told_once(broker: Broker, board: Board) -> None:
    screen, late = Screen(), Screen()
    async with screen.watching(broker), running(board):
        await until(lambda: screen.statuses)
        board.happens(alert(86)._replace(group="spo2"))
        await until(lambda: len(screen.on(BED)) == 2)
        async with late.watching(broker):
            # A broker gives what it has kept in an order of its own.
            await until(lambda: len(late.heard) == 4)
        assert (screen.on(EVENTS), late.on(EVENTS)) == ([screen.on(EVENTS)[0]], [])
    assert screen.on(EVENTS)[0]["value"] == 86.0
    assert screen.on(EVENTS)[0]["state"] == "on"
    assert late.on(BED) == [
        {
            "bed": "chair-1",
            "at": "2026-01-01T00:00:00.000000Z",
            "audio": "on",
            "alarm": "on",
            "alerts": [
                {
                    "rule": "spo2_low",
                    "group": "spo2",
                    "kind": "physiological",
                    "priority": "high",
                    "state": "on",
                    "since": "2026-01-01T00:00:00.000000Z",
                    "text": "SpO₂ 86 < 90",
                    "value": 86.0,
                    "limit": 90.0,
                    "vital": "spo2",
                    "device": "oximeter",
                }
            ],
        }
    ]
    assert [told["alerts"] for told in (*late.on("clinic/alerts/chair-2"), *late.on("clinic/station/alerts"))] == [
        [],
        [],
    ]
    assert {retained for topic, retained, _ in late.heard} == {True}


async def test_one_line_a_group_the_most_urgent_first(broker: Broker, board: Board) -> None:
    board.happens(
        alert(1, rule="spo2_low", priority=Priority.MEDIUM)._replace(group="spo2"),
        alert(2, rule="device_lost_oximeter", priority=Priority.LOW, kind=Kind.TECHNICAL),
        alert(3, rule="spo2_very_low", priority=Priority.HIGH)._replace(group="spo2"),
        alert(4, rule="combined_part", priority=Priority.NONE),
    )
    screen = Screen()
    async with screen.watching(broker), running(board):
        await until(lambda: screen.statuses)
    (told,) = screen.on(BED)
    assert [(line["rule"], line["group"]) for line in told["alerts"]] == [
        ("spo2_very_low", "spo2"),
        ("device_lost_oximeter", "device_lost_oximeter"),
    ]


async def test_what_people_do_is_told(broker: Broker, board: Board) -> None:
    screen = Screen()
    async with screen.watching(broker), running(board):
        await until(lambda: screen.statuses)
        board.happens(alert(86))
        board.does("chair-1", Acknowledge("Anna"))
        board.does("chair-1", Pause("Anna", "audio"))
        await until(lambda: len(screen.on(BED)) == 4)
    assert [(told["rule"], told["state"], told["actor"]) for told in screen.on(EVENTS)] == [
        ("spo2_low", "on", ""),
        ("spo2_low", "acknowledged", "Anna"),
        ("audio", "paused", "Anna"),
    ]
    assert screen.on(BED)[-1]["audio"] == "paused"
    assert screen.on(BED)[-1]["alerts"][0]["state"] == "acknowledged"


async def test_of_the_station_itself_it_is_told_on_its_own_topics(broker: Broker, board: Board) -> None:
    screen = Screen()
    async with screen.watching(broker), running(board):
        await until(lambda: screen.statuses)
        board.happens(alert(0, bed="", rule="journal_unwritable", kind=Kind.TECHNICAL))
        await until(lambda: len(screen.on("clinic/station/alerts")) == 2)
    assert screen.on("clinic/station/alerts")[-1]["alerts"][0]["rule"] == "journal_unwritable"
    assert [told["rule"] for told in screen.on("clinic/station/alerts/events")] == ["journal_unwritable"]


async def test_online_is_said_after_what_stands_and_stopped_at_the_end(broker: Broker, board: Board) -> None:
    screen = Screen()
    async with screen.watching(broker):
        async with running(board):
            await until(lambda: screen.statuses)
            assert screen.heard[-1][0] == "clinic/station"
            assert len(screen.heard) == 4
        await until(lambda: len(screen.statuses) == 2)
    late = Screen()
    async with late.watching(broker):
        await until(lambda: late.statuses)
    assert screen.statuses == ["online", "stopped"]
    assert late.statuses == ["stopped"]


# The station's side in a process of its own, to be killed.
STATION = """
import asyncio, sys
from drivers.clock import SystemClock
from drivers.transports.mqtt import MqttSettings
from monitor.notify.alert_topics import AlertTopics
from monitor.notify.mqtt import Publisher
async def main():
    topics = AlertTopics(["chair-1"], dict, SystemClock())
    await Publisher(sys.argv[1], MqttSettings(), "station", topics.present, will=topics.will,
                    last_words=topics.last_words).run()
asyncio.run(main())
"""


async def test_a_station_that_is_killed_is_gone_for_every_screen(broker: Broker) -> None:
    screen, late = Screen(), Screen()
    async with screen.watching(broker):
        command = [sys.executable, "-c", STATION, f"mqtt://127.0.0.1:{broker.port}/clinic"]
        process = await asyncio.create_subprocess_exec(*command)
        try:
            await until(lambda: screen.statuses == ["online"])
        finally:
            process.kill()
            await process.wait()
        await until(lambda: len(screen.statuses) == 2)
    async with late.watching(broker):
        await until(lambda: late.statuses)
    assert screen.statuses == ["online", "gone"]
    assert late.statuses == ["gone"]


def test_a_machine_that_is_cut_off_is_gone_within_half_a_minute() -> None:
    assert GONE_AFTER == 22.5


async def test_a_link_that_is_given_up_leaves_the_will(
    broker: Broker, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed in order, it would have the broker forget it, and the station might never come back."""
    screen = Screen()
    async with screen.watching(broker), running(board):
        await until(lambda: screen.statuses)

        def broken() -> Mapping[str, bytes]:
            raise LookupError("no signals")

        monkeypatch.setattr(board.publisher, "_present", broken)
        # So many that what is so is said again.
        for number in range(mqtt.MOST_WAITING + 1):
            board.publisher.publish("alerts/chair-2", b"%d" % number)
        await until(lambda: "gone" in screen.statuses)
        assert board.notifier.state == WAITING
    assert screen.statuses[:2] == ["online", "gone"]


async def test_an_end_that_is_not_heard_is_no_orderly_one(
    broker: Broker, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "LAST_WORDS", 0.1)
    screen = Screen()
    async with screen.watching(broker):
        async with running(board):
            await until(lambda: screen.statuses)
            broker.freeze()
            board.publisher.publish("alerts/chair-2", b"{}")
            await until(lambda: not board.publisher._waiting, "for it to be under way")
        broker.thaw()
        await until(lambda: len(screen.statuses) == 2)
    assert screen.statuses == ["online", "gone"]


async def test_a_broker_that_comes_back_is_told_what_stands_and_not_what_happened_meanwhile(
    broker: Broker, board: Board
) -> None:
    screen = Screen()
    async with running(board):
        broker.kill()
        await until(lambda: board.notifier.state == WAITING)
        board.happens(alert(86))
        assert board.notifier.health == ""
        broker.start()
        await until(lambda: board.notifier.state == PUBLISHING)
        async with screen.watching(broker):
            await until(lambda: screen.statuses)
    assert screen.on(EVENTS) == []
    assert screen.on(BED)[-1]["alerts"][0]["state"] == AlertState.ON


async def test_a_broker_that_stays_away_or_refuses_is_a_failure(
    tmp_path: Path, broker: Broker, board: Board, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(board):
        broker.kill()
        await until(lambda: board.notifier.state == WAITING)
        monkeypatch.setattr(mqtt, "FAILING", 0.0)
        assert "127.0.0.1" in board.notifier.health
        broker.start()
        await until(lambda: board.notifier.state == PUBLISHING)
        assert board.notifier.health == ""
    monkeypatch.setattr(mqtt, "FAILING", 3600.0)
    with Broker(tmp_path / "closed", users={"station": "password"}) as closed:
        other = Board(closed, clock)
        task = asyncio.ensure_future(other.notifier.run())
        await until(lambda: other.notifier.state == STOPPED)
        assert "Not authorized" in other.notifier.health
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
