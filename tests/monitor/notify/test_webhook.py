"""A server of the clinic's is told of alerts over real HTTP: signed, in order, again until it takes them, and never
for longer than it makes sense."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
from pathlib import Path
from typing import Any

import pytest

from drivers.clock import Clock, ManualClock, SystemClock
from drivers.errors import ConfigError
from monitor.alerts.conditions import AlertState, Kind, Priority
from monitor.notify import outbox, webhook
from monitor.notify.outbox import READY, REFUSED, WAITING
from monitor.notify.settings import WebhookConfig
from monitor.notify.webhook import Webhook, signed
from tests.broker import PATIENCE, Authority, until
from tests.monitor.notify.receiver import NEVER, RESET, Answer, Receiver, alert, running

KEY = b"thirty-two bytes that are secret"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
PATH = "/hooks/a-path-that-nobody-may-see?token=nor-this"


@pytest.fixture(autouse=True)
def _short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FIRST_DELAY", 0.02)
    monkeypatch.setattr(outbox, "LONGEST_DELAY", 0.1)
    monkeypatch.setenv("HOOK_SECRET", SECRET)


def hook(receiver: Receiver, clock: Clock | None = None, **more: Any) -> Webhook:
    config = {"name": "ward", "url": receiver.url + PATH, "secret_env": "HOOK_SECRET", **more}
    return Webhook(WebhookConfig.model_validate(config), "clinic", clock or SystemClock())


def values(receiver: Receiver) -> list[float]:
    return [post.json["data"]["value"] for post in receiver.posts]


def test_a_signature_is_the_one_that_the_specification_gives() -> None:
    """The example that its reference implementations are tested with."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_an_event_comes_whole_and_signed() -> None:
    async with Receiver() as receiver:
        one = hook(receiver)
        async with running(one):
            one.notify([alert(86)])
            await until(lambda: one.taken == 1)
    (post,) = receiver.posts
    assert post.path == PATH
    assert post.is_signed(KEY)
    assert not post.is_signed(b"x" * 32)
    assert post.headers["content-type"] == "application/json"
    assert post.json == {
        "type": "alert.on",
        "timestamp": "2026-01-01T00:00:00.000000Z",
        "data": {
            "site": "clinic",
            "bed": "chair-1",
            "rule": "spo2_low",
            "kind": "physiological",
            "priority": "high",
            "state": "on",
            "at": "2026-01-01T00:00:00.000000Z",
            "text": "SpO₂ 86 < 90",
            "vital": "spo2",
            "device": "oximeter",
            "value": 86.0,
            "limit": 90.0,
            "group": "",
            "why": "",
            "actor": "",
            "session": "",
        },
    }


@pytest.mark.parametrize("secret", ["plain text that is long enough", SECRET])
async def test_the_key_may_be_plain_text_or_a_file_with_a_line_break(tmp_path: Path, secret: str) -> None:
    (tmp_path / "secret").write_text(secret + "\n")
    async with Receiver() as receiver:
        one = hook(receiver, secret_env=None, secret_file=str(tmp_path / "secret"))
        async with running(one):
            one.notify([alert()])
            await until(lambda: one.taken == 1)
    assert receiver.posts[0].is_signed(KEY if secret.startswith("whsec_") else secret.encode())


@pytest.mark.parametrize(
    ("secret", "says"),
    [
        ("whsec_not base64 at all", "base64"),
        ("whsec_c2hvcnQ=", "5 bytes"),
        ("too-short-for-a-key", "19 bytes"),
        ("", "empty"),
    ],
)
def test_a_key_that_is_none_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch, secret: str, says: str) -> None:
    monkeypatch.setenv("HOOK_SECRET", secret)
    config = {"name": "ward", "url": "https://example.org/", "secret_env": "HOOK_SECRET"}
    with pytest.raises(ConfigError, match=says) as caught:
        Webhook(WebhookConfig.model_validate(config), "clinic", SystemClock())
    assert not secret or secret not in str(caught.value)


async def test_what_is_not_taken_is_sent_again_under_its_id_and_what_came_later_waits() -> None:
    async with Receiver() as receiver:
        receiver.answers += [Answer(500), Answer(503), Answer(429), Answer(408), RESET]
        one = hook(receiver)
        async with running(one):
            one.notify([alert(1), alert(2)])
            one.notify([alert(3)])
            await until(lambda: one.taken == 3)
    assert values(receiver) == [1.0] * 6 + [2.0, 3.0]
    identifiers = [post.headers["webhook-id"] for post in receiver.posts]
    assert len(set(identifiers[:6])) == 1
    assert len(set(identifiers)) == 3
    assert all(post.is_signed(KEY) for post in receiver.posts)
    assert (one.state, one.detail, one.health) == (READY, "", "")


async def test_a_server_that_asks_for_time_gets_it() -> None:
    clock = ManualClock()
    config = WebhookConfig(name="ward", url="http://127.0.0.1/", secret_env="HOOK_SECRET")
    one = Webhook(config, "clinic", clock)
    assert one._meaning(503, "120").after == 120.0
    assert one._delay(120.0) == 120.0
    assert one._delay(10_000_000.0) == outbox.LONGEST_ASKED
    assert one._delay(None) <= outbox.LONGEST_DELAY


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
async def test_what_is_refused_is_counted_told_and_not_sent_again(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with Receiver() as receiver:
        receiver.answers += [Answer(status), Answer(status)]
        one = hook(receiver)
        async with running(one):
            one.notify([alert(1), alert(2)])
            await until(lambda: one.refused == 2)
            assert one.state == REFUSED
            assert str(status) in one.health
            one.notify([alert(3)])
            await until(lambda: one.taken == 1)
            assert (one.state, one.health) == (READY, "")
    assert values(receiver) == [1.0, 2.0, 3.0]
    said = [record.getMessage() for record in caplog.records if record.name == outbox.__name__]
    assert [f"answers {status}" in text for text in said] == [True, False], said


async def test_a_redirect_is_not_followed() -> None:
    async with Receiver() as other, Receiver() as receiver:
        receiver.answers.append(Answer(307, (("Location", other.url),)))
        one = hook(receiver)
        async with running(one):
            one.notify([alert()])
            await until(lambda: one.refused == 1)
        assert "redirect" in one.health
        assert other.posts == []


async def test_a_server_that_hangs_is_left_and_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "PATIENCE", 2.0)
    async with Receiver() as receiver:
        receiver.answers.append(NEVER)
        one = hook(receiver)
        async with running(one):
            one.notify([alert(1)])
            await until(lambda: one.taken == 1)
    assert values(receiver) == [1.0, 1.0]


async def test_a_server_that_is_away_is_a_failure_after_a_while_and_none_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Receiver() as receiver:
        one = hook(receiver)
        await receiver.stop()
        async with running(one):
            one.notify([alert(1)])
            await until(lambda: one.state == WAITING)
            # Most failures are over before anybody has to know.
            assert one.health == ""
            monkeypatch.setattr(outbox, "FAILING", 0.0)
            assert "refused" in one.health
            await receiver.start()
            await until(lambda: one.taken == 1)
            assert one.health == ""


async def test_what_is_too_old_is_not_told_and_stays_a_failure_until_something_is(clock: ManualClock) -> None:
    async with Receiver() as receiver:
        receiver.always = Answer(500)
        one = hook(receiver, clock)
        async with running(one):
            one.notify([alert(1)])
            await until(lambda: one.state == WAITING)
            await clock.advance(webhook.KEPT - 1)
            assert one.lost == 0
            await clock.advance(1)
            async with asyncio.timeout(PATIENCE):
                # An attempt that is under way is answered, and then the next one is waited for.
                while not one.lost:
                    await asyncio.sleep(0.01)
                    await clock.advance(outbox.LONGEST_DELAY)
            assert one.lost == 1
            assert "answers 500" in one.health
            receiver.always = Answer()
            one.notify([alert(2)])
            await until(lambda: one.taken == 1)
            assert one.health == ""
    assert receiver.posts[-1].json["data"]["value"] == 2.0


async def test_of_too_many_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MOST_WAITING", 10)
    async with Receiver() as receiver:
        one = hook(receiver)
        one.notify([alert(number) for number in range(25)])
        assert one.lost == 15
        assert "more than 10 events wait" in one.health
        async with running(one):
            await until(lambda: one.taken == 10)
    assert values(receiver) == [float(number) for number in range(15, 25)]


@pytest.mark.parametrize(
    ("least", "expected"),
    [("low", [1.0, 2.0, 3.0, 5.0]), ("medium", [2.0, 3.0]), ("high", [3.0])],
)
async def test_what_is_less_urgent_is_not_told(least: str, expected: list[float]) -> None:
    async with Receiver() as receiver:
        one = hook(receiver, **{"from": least})
        async with running(one):
            one.notify(
                [
                    alert(0, priority=Priority.NONE),
                    alert(1, priority=Priority.LOW),
                    alert(2, priority=Priority.MEDIUM),
                    alert(3, priority=Priority.HIGH),
                    alert(5, rule="audio", priority=Priority.NONE, state=AlertState.PAUSED, kind=Kind.OTHER),
                ]
            )
            await until(lambda: one.taken == len(expected))
    assert values(receiver) == expected


async def test_over_tls_with_an_authority_of_the_clinics(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.load_cert_chain(*authority.issue("receiver", "IP:127.0.0.1"))
    async with Receiver(certificate) as receiver:
        stranger, known = hook(receiver), hook(receiver, ca_file=str(authority.certificate))
        async with running(stranger):
            stranger.notify([alert()])
            await until(lambda: "certificate" in stranger.detail)
        assert receiver.posts == []
        async with running(known):
            known.notify([alert()])
            await until(lambda: known.taken == 1)


async def test_an_authority_that_is_not_there_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FAILING", 0.0)
    async with Receiver() as receiver:
        one = hook(receiver, ca_file=str(tmp_path / "none"))
        async with running(one):
            await until(lambda: one.state == WAITING)
            assert "FileNotFoundError" in one.health


async def test_neither_the_key_nor_the_path_is_ever_shown(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(outbox, "FAILING", 0.0)
    shown: set[str] = set()
    async with Receiver() as receiver:
        receiver.answers += [Answer(500), RESET, Answer(302, (("Location", PATH),)), Answer(403), Answer()]
        one = hook(receiver)
        async with running(one):
            one.notify([alert(1), alert(2), alert(3)])
            while one.taken < 1:
                shown |= {one.detail, one.health}
                await asyncio.sleep(0.001)
            await receiver.stop()
            one.notify([alert(4)])
            await until(lambda: one.state == WAITING)
            shown |= {one.detail, one.health}
    text = "\n".join([*shown, caplog.text, repr(one)])
    assert "answers 403" in text
    assert "refused" in text
    for secret in (KEY.decode(), SECRET.removeprefix("whsec_"), "nobody-may-see", "nor-this"):
        assert secret not in text
