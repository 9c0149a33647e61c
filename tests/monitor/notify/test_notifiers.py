"""One that fails keeps no other from telling; and what the section `notify` of a configuration may say."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import ValidationError

from drivers.clock import SystemClock
from monitor.alerts.conditions import AlertEvent, Kind, Priority
from monitor.notify.checks import check_notify, check_notify_secrets
from monitor.notify.notifier import Notifiers, failed_rule
from monitor.notify.registry import make_notifiers
from monitor.notify.settings import NotifyConfig
from tests.broker import until
from tests.monitor.notify.receiver import Receiver, alert


class Remembering:
    """A notifier that keeps what it was to tell, and raises where it is broken."""

    state, detail = "ready", ""

    def __init__(self, name: str, health: str = "", *, broken: bool = False) -> None:
        self.name = name
        self.health = health
        self.broken = broken
        self.told: list[AlertEvent] = []

    def notify(self, events: Sequence[AlertEvent]) -> None:
        if self.broken:
            raise LookupError(self.name)
        self.told += events

    async def run(self) -> None:
        await asyncio.Event().wait()


def test_one_that_is_broken_keeps_no_other_from_telling(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    broken, other = Remembering("broken", broken=True), Remembering("other", "pager other: hangs")
    all_of_them = Notifiers([broken, other])
    all_of_them.notify([alert(1)])
    all_of_them.notify([alert(2)])
    assert [event.value for event in other.told] == [1.0, 2.0]
    assert "fault of the program" in all_of_them.health["broken"]
    assert all_of_them.health["other"] == "pager other: hangs"
    assert len(caplog.records) == 1
    broken.broken = False
    all_of_them.notify([alert(3)])
    assert all_of_them.health["broken"] == ""


def test_that_one_has_failed_is_told_by_the_others() -> None:
    one, other = Remembering("ward"), Remembering("duty")
    failure = alert(0, bed="", rule=failed_rule("ward"), kind=Kind.TECHNICAL, priority=Priority.LOW)
    Notifiers([one, other]).notify([failure])
    assert (one.told, other.told) == ([], [failure])


async def test_what_a_configuration_asks_for_is_made_and_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", "a key that is long enough")
    async with Receiver() as receiver:
        hooks = [{"name": name, "url": receiver.url, "secret_env": "HOOK_SECRET"} for name in ("one", "two")]
        config = NotifyConfig.model_validate_json(_json({"webhooks": hooks}))
        notifiers = Notifiers(make_notifiers(config, "clinic", SystemClock()))
        task = asyncio.ensure_future(notifiers.run())
        notifiers.notify([alert(1)])
        await until(lambda: len(receiver.posts) == 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert notifiers.health == {"one": "", "two": ""}


class Site(NamedTuple):
    notify: NotifyConfig


def faults(check: Any = check_notify, **section: Any) -> dict[str, str]:
    config = Site(NotifyConfig.model_validate_json(_json(section)))
    return {".".join(map(str, where)): text for where, text in check(config)}


def _json(what: Any) -> str:
    return json.dumps(what)


HOOK = {"name": "ward", "url": "https://ward.example/hook", "secret_env": "HOOK_SECRET", "from": "medium"}
PAGER = {"name": "duty", "urls_file": "/run/secrets/duty", "from": "high"}


def test_a_right_section_has_no_faults() -> None:
    assert faults() == {}
    assert faults(webhooks=[HOOK], pagers=[PAGER]) == {}
    assert faults(webhooks=[HOOK | {"url": "http://127.0.0.1:9000/hook"}]) == {}
    assert faults(webhooks=[HOOK | {"url": "http://ward.example/hook", "insecure": True}]) == {}


@pytest.mark.parametrize(
    ("change", "where", "says"),
    [
        ({"url": "http://ward.example/hook"}, "url", "in clear"),
        ({"url": "ftp://ward.example/"}, "url", "expected http"),
        ({"url": "https:///hook"}, "url", "expected http"),
        ({"url": "https://ward.example:port/"}, "url", "expected http"),
        ({"url": "https://user:pass-word@ward.example/"}, "url", "has an @"),
        ({"url": "https://ward.example/a b"}, "url", "blank"),
        ({"secret_env": None}, "", "one of the two"),
        ({"secret_file": "/run/secrets/hook"}, "secret_file", "one of the two"),
        ({"name": "mqtt"}, "name", "another name"),
        ({"name": "duty"}, "", "already a notifier"),
    ],
)
def test_each_fault_is_named_with_its_place(change: dict[str, Any], where: str, says: str) -> None:
    found = faults(webhooks=[HOOK | change], pagers=[PAGER])
    place = "notify.pagers.0.name" if change.get("name") == "duty" else f"notify.webhooks.0.{where}".rstrip(".")
    assert list(found) == [place]
    assert says in found[place]
    assert "pass-word" not in found[place]


def test_a_pager_without_its_library_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "infusion-monitor[pager]" in faults(pagers=[PAGER])["notify.pagers"]
    assert faults(webhooks=[HOOK]) == {}


@pytest.mark.parametrize("key", ["from", "secret", "urls"])
def test_secrets_and_other_words_have_no_place_in_the_section(key: str) -> None:
    with pytest.raises(ValidationError):
        NotifyConfig.model_validate_json(_json({"webhooks": [HOOK | {key: "none"}]}))


def test_secrets_that_are_not_there_or_not_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOOK_SECRET", raising=False)
    urls = tmp_path / "urls"
    pagers = [PAGER | {"urls_file": str(urls)}]
    hooks = [HOOK | {"ca_file": str(tmp_path / "ca")}]
    assert faults(check_notify_secrets, webhooks=hooks, pagers=pagers) == {
        "notify.webhooks.0.secret_env": "the environment has no variable HOOK_SECRET",
        "notify.webhooks.0.ca_file": f"{tmp_path}/ca: No such file or directory",
        "notify.pagers.0.urls_file": f"{urls}: No such file or directory",
    }
    monkeypatch.setenv("HOOK_SECRET", "short-and-secret")
    urls.write_text("json://user:pass-word@a/ macosx:// word-alone")
    found = faults(check_notify_secrets, webhooks=[HOOK], pagers=pagers)
    assert found["notify.webhooks.0.secret_env"] == "a key of 16 bytes; at least 24 are needed"
    assert "address 3" in found["notify.pagers.0.urls_file"]
    assert not any(secret in text for secret in ("short-and", "pass-word", "word-alone") for text in found.values())
    monkeypatch.setenv("HOOK_SECRET", "a key that is long enough")
    urls.write_text("json://user:pass-word@a/")
    assert faults(check_notify_secrets, webhooks=[HOOK], pagers=pagers) == {}
