"""Pagers are told through the real `apprise`, with its own post of JSON to a server of this machine."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from pathlib import Path

import apprise
import pytest

from drivers.clock import SystemClock
from drivers.errors import ConfigError
from monitor.alerts.conditions import AlertState, Kind, Priority, Why
from monitor.notify import outbox, pager
from monitor.notify.outbox import READY, REFUSED, WAITING
from monitor.notify.pager import MOST_HANGING, RUN_PROGRAMS, Pager, refused_scheme
from monitor.notify.settings import PagerConfig
from tests.broker import until
from tests.monitor.notify.receiver import NEVER, Answer, Receiver, alert, running

# One of apprise's services imports it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture(autouse=True)
def _short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FIRST_DELAY", 0.02)
    monkeypatch.setattr(outbox, "LONGEST_DELAY", 0.1)


def address(receiver: Receiver, rest: str = "/") -> str:
    return f"json://127.0.0.1:{receiver.port}{rest}"


def make(monkeypatch: pytest.MonkeyPatch, *urls: str, least: Priority = Priority.MEDIUM) -> Pager:
    monkeypatch.setenv("PAGER_URLS", "\n".join(urls))
    config = {"name": "duty", "urls_env": "PAGER_URLS", "from": least}
    return Pager(PagerConfig.model_validate(config), "clinic", SystemClock())


def bodies(receiver: Receiver) -> list[str]:
    return [post.json["message"] for post in receiver.posts]


async def test_a_pager_is_told_what_when_where_and_how_urgent(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Receiver() as receiver:
        one = make(monkeypatch, address(receiver))
        async with running(one):
            one.notify([alert(86)])
            await until(lambda: receiver.posts)
            await until(lambda: one.state == READY)
    (post,) = receiver.posts
    assert post.json["title"] == "clinic: high alert"
    assert re.fullmatch(r"\d\d:\d\d:\d\d chair-1, high: SpO₂ 86 < 90", post.json["message"])
    assert post.json["type"] == "failure"
    assert one.health == ""


async def test_only_what_asks_for_somebody_is_paged(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Receiver() as receiver:
        one = make(monkeypatch, address(receiver))
        one.notify(
            [
                alert(1, priority=Priority.LOW),
                alert(2, priority=Priority.MEDIUM),
                alert(3, state=AlertState.LATCHED),
                alert(4, state=AlertState.ACKNOWLEDGED),
                alert(5, state=AlertState.OFF),
                alert(6, state=AlertState.ACKNOWLEDGED)._replace(why=Why.REMINDER),
                alert(7, rule="audio", kind=Kind.OTHER),
                alert(8, bed="", rule="journal_unwritable", kind=Kind.TECHNICAL),
            ]
        )
        async with running(one):
            await until(lambda: receiver.posts)
    (body,) = bodies(receiver)
    assert [line.partition(" ")[2] for line in body.splitlines()] == [
        "chair-1, medium: SpO₂ 2 < 90",
        "chair-1, high, still: SpO₂ 6 < 90",
        "station, high: SpO₂ 8 < 90",
    ]
    assert receiver.posts[0].json["title"] == "clinic: 3 alerts"


async def test_one_address_that_fails_keeps_no_other_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Receiver() as bad, Receiver() as good:
        bad.always = Answer(500)
        one = make(monkeypatch, address(bad), address(good))
        async with running(one):
            one.notify([alert(1)])
            await until(lambda: good.posts and len(bad.posts) >= 2)
            assert one.state == WAITING
            monkeypatch.setattr(outbox, "FAILING", 0.0)
            assert one.health == "pager duty, address 1: JSON does not take it"
            bad.always = Answer(200)
            await until(lambda: one.state == READY)
    assert len(good.posts) == 1
    assert len(set(bodies(bad))) == 1


async def test_calls_that_hang_hold_up_neither_the_loop_nor_the_end_and_are_not_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pager, "PATIENCE", 0.1)
    before = threading.active_count()
    async with Receiver() as receiver:
        receiver.always = NEVER
        one = make(monkeypatch, address(receiver, "/?rto=60"))
        async with running(one):
            one.notify([alert(1)])
            await until(lambda: "under way" in one.detail)
            assert len(receiver.posts) == MOST_HANGING
        assert threading.active_count() == before + MOST_HANGING
        hanging = [thread for thread in threading.enumerate() if thread.name == "pager duty, address 1"]
        # The program's end waits for the others.
        assert [thread.daemon for thread in hanging] == [True] * MOST_HANGING
    # What ends with the program must not keep the next test from being alone.
    await until(lambda: threading.active_count() == before)


async def test_a_pager_that_came_to_itself_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pager, "PATIENCE", 0.1)
    async with Receiver() as receiver:
        receiver.always = NEVER
        one = make(monkeypatch, address(receiver, "/?rto=60"))
        async with running(one):
            one.notify([alert(1)])
            await until(lambda: "under way" in one.detail)
            await receiver.stop()
            receiver.always = Answer(200)
            monkeypatch.setattr(pager, "PATIENCE", 30.0)
            await receiver.start()
            await until(lambda: one.state == READY)


@pytest.mark.parametrize(
    "url", ["nosuchscheme://here/", "json://", "macosx://", "MacOSX://", "no address at all".replace(" ", "-")]
)
async def test_an_address_that_cannot_be_used_is_a_failure_at_once(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    one = make(monkeypatch, url)
    async with running(one):
        await until(lambda: one.state == REFUSED)
        assert one.health.startswith("pager duty, address 1: ")
        one.notify([alert(1)])
        await until(lambda: one._addresses[0].refused == 1)
        assert "here" not in one.health.replace("there", "")


def test_the_schemes_that_start_programs_are_refused_and_there_are_no_others() -> None:
    plugins = Path(apprise.__file__).parent / "plugins"
    starts = re.compile(r"\bsubprocess\b|\bPopen\b|os\.(system|exec|spawn|posix_spawn|popen)|create_subprocess|\bpty\b")
    found = {file.stem for file in plugins.rglob("*.py") if starts.search(file.read_text(encoding="utf-8"))}
    assert found == RUN_PROGRAMS
    assert "start a program" in (refused_scheme("macosx://") or "")
    assert refused_scheme("ntfys://host/topic") is None


def test_addresses_may_stand_in_a_file_with_remarks(tmp_path: Path) -> None:
    file = tmp_path / "urls"
    file.write_text("# the one on duty\njson://a/ json://b/\n\n  # and the desk\njson://c/\n")
    assert PagerConfig(name="duty", urls_file=str(file)).urls() == ("json://a/", "json://b/", "json://c/")
    file.write_text("# nobody\n")
    with pytest.raises(ConfigError, match="no address"):
        PagerConfig(name="duty", urls_file=str(file)).urls()


async def test_no_address_is_ever_shown(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FAILING", 0.0)
    shown: set[str] = set()
    async with Receiver() as receiver:
        receiver.answers += [Answer(500), Answer(403), Answer(200)]
        rest = f"127.0.0.1:{receiver.port}/a-path-that-nobody-may-see/?+X-Token=nor-this"
        one = make(monkeypatch, f"json://user:pass-word@{rest}", "slack://nor-that/nor-this/broken!")
        caplog.set_level(logging.DEBUG)
        async with running(one):
            one.notify([alert(1)])
            while len(receiver.posts) < 3:
                shown |= {one.detail, one.health}
                await asyncio.sleep(0.001)
            await receiver.stop()
            one.notify([alert(2)])
            await until(lambda: one._addresses[0].state == WAITING)
            shown |= {one.detail, one.health}
    text = "\n".join([*shown, caplog.text])
    assert "JSON does not take it" in text
    for secret in ("pass-word", "nobody-may-see", "nor-this", "nor-that"):
        assert secret not in text
