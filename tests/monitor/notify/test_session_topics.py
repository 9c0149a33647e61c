"""What a clinic's own systems hear of a station's sessions, over a real mosquitto."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.notify import mqtt
from monitor.sessions.requests import REQUEST
from monitor.station import Station
from tests.broker import Broker, until
from tests.monitor.program import running

# Nothing has to come from the devices.
SITE = """
mqtt: {{publish_to: mqtt://127.0.0.1:{port}/clinic}}
beds:
  - {{id: chair-1, devices: [{{id: a, driver: nonin, url: {folder}/none-1}}]}}
  - {{id: chair-2, devices: [{{id: a, driver: nonin, url: {folder}/none-2}}]}}
"""
ONE, TWO = "clinic/sessions/chair-1", "clinic/sessions/chair-2"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as started:
        yield started


def site(folder: Path, broker: Broker) -> str:
    return SITE.format(port=broker.port, folder=folder)


class Listener:
    """A system of the clinic: every message on its topic, and whether the broker had kept it."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bool, dict[str, Any]]] = []

    @contextlib.asynccontextmanager
    async def listening(self, broker: Broker) -> AsyncIterator[None]:
        async with broker.client() as client:
            await client.subscribe("clinic/sessions/#", qos=1)
            task = asyncio.create_task(self._listen(client))
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _listen(self, client: Any) -> None:
        async for message in client.messages:
            self.heard.append((str(message.topic), message.retain, json.loads(message.payload)))

    def last(self, topic: str) -> dict[str, Any]:
        """What stands there now; empty where nothing was heard."""
        return next((told for where, _, told in reversed(self.heard) if where == topic), {})

    def events(self, topic: str) -> list[str]:
        return [told["event"] for where, _, told in self.heard if where == topic]


async def do(station: Station, verb: str, session: str = "chair-1", **fields: Any) -> str:
    asked = {"verb": verb, "by": "Anna", **fields}
    if verb != "open":
        asked["session"] = session
    return (await station.desk.do(REQUEST.validate_python(asked))).session.id


async def test_each_step_is_told_and_nothing_that_a_person_wrote(tmp_path: Path, broker: Broker) -> None:
    listener = Listener()
    async with listener.listening(broker), running(tmp_path, site(tmp_path, broker)) as station:
        await until(lambda: listener.last(TWO), "for what is so at the start")
        assert (listener.last(ONE)["session"], listener.last(ONE)["phase"]) == (None, None)
        session = await do(station, "open", bed="chair-1", reference="P-SECRET")
        await do(station, "check", item="consent", answer="A-SECRET")
        await do(station, "note", text="N-SECRET")
        await do(station, "note", text="D-SECRET", dose=True)
        await do(station, "score", scale="moaas", value=5, text="S-SECRET")
        for step in ("baseline", "start", "pause", "resume"):
            await do(station, "phase", step=step, confirm=True, reason="R-SECRET")
        await until(lambda: listener.last(ONE).get("event") == "resume", "for the last step")
        told = listener.last(ONE)
        assert (told["session"], told["phase"], told["state"]) == (session, "infusion", "running")
        assert (told["planned_minutes"], told["infusion"]["running"]) == (40, True)
        await do(station, "move", bed="chair-2")
        await do(station, "phase", "chair-2", step="stop")
        await do(station, "close", "chair-2", reason="R-SECRET")
        await until(lambda: listener.last(TWO).get("event") == "closed", "for the closing")
    assert listener.events(ONE) == ["present", "opened", "baseline", "start", "pause", "resume", "moved"]
    assert listener.last(ONE)["session"] is None
    assert listener.events(TWO) == ["present", "moved", "stop", "closed"]
    assert (listener.last(TWO)["session"], listener.last(TWO)["phase"]) == (session, "closed")
    said = json.dumps(listener.heard)
    assert "SECRET" not in said
    assert "Anna" not in said


async def test_what_is_changed_of_a_closed_session_says_nothing_of_who_is_there_now(
    tmp_path: Path, broker: Broker
) -> None:
    listener = Listener()
    async with listener.listening(broker), running(tmp_path, site(tmp_path, broker)) as station:
        await until(lambda: listener.last(TWO), "for what is so at the start")
        before = await do(station, "open", bed="chair-1", reference="P-1")
        await do(station, "close", reason="went home")
        now = await do(station, "open", bed="chair-1", reference="P-2")
        await do(station, "correct", before, number=1, reference="P-3", reason="a slip")
        span = {"since": "2026-01-01T10:00:00Z", "until": "2026-01-01T11:00:00Z"}
        await do(station, "assign", before, bed="chair-1", **span)
        # Told in their order: with this one, all before it have come.
        await do(station, "open", bed="chair-2", reference="P-4")
        await until(lambda: listener.last(TWO).get("event") == "opened", "for the last opening")
    assert listener.events(ONE) == ["present", "opened", "closed", "opened"]
    assert (listener.last(ONE)["session"], listener.last(ONE)["phase"]) == (now, "check_in")


async def test_who_comes_later_is_told_what_is_so(tmp_path: Path, broker: Broker) -> None:
    early, late = Listener(), Listener()
    async with running(tmp_path, site(tmp_path, broker)) as station:
        async with early.listening(broker):
            await until(lambda: early.last(ONE), "for what is so at the start")
            session = await do(station, "open", bed="chair-1", reference="P-1")
            await until(lambda: early.last(ONE)["session"] == session, "for the opening")
        async with late.listening(broker):
            await until(lambda: late.last(TWO) and late.last(ONE), "for what the broker has kept")
    assert [retained for _, retained, _ in late.heard] == [True, True]
    assert (late.last(ONE)["session"], late.last(TWO)["session"]) == (session, None)


async def test_what_changed_while_the_broker_was_away_is_told_when_it_is_back(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "FIRST_DELAY", 0.05)
    monkeypatch.setattr(mqtt, "LONGEST_DELAY", 0.2)
    listener = Listener()
    async with running(tmp_path, site(tmp_path, broker)) as station:
        async with listener.listening(broker):
            await until(lambda: listener.last(ONE), "for what is so at the start")
        await asyncio.to_thread(broker.kill)
        session = await do(station, "open", bed="chair-1", reference="P-1")
        await asyncio.to_thread(broker.start)
        async with listener.listening(broker):
            await until(lambda: listener.last(ONE)["session"] == session, "for what is so by now")
    assert listener.last(ONE)["event"] == "present"
