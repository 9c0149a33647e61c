"""Logging in and out, and what is open while there are no accounts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.accounts.passwords import Passwords
from monitor.accounts.people import Role
from monitor.web.settings import TlsConfig, WebConfig
from tests.monitor.web import wire
from tests.monitor.web.page import PASSWORD, Page, page


@pytest.fixture
async def closed(tmp_path: Path, quick: Passwords) -> AsyncIterator[Page]:
    async with page(tmp_path, quick) as served:
        yield served


@pytest.fixture
async def opened(tmp_path: Path, quick: Passwords) -> AsyncIterator[Page]:
    async with page(tmp_path, quick, accounts=False) as served:
        yield served


def attributes(cookie: str) -> tuple[str, str, dict[str, str]]:
    """Name, value and attributes, these in lower case."""
    first, *rest = cookie.split("; ")
    name, _, value = first.partition("=")
    return name, value, {key.lower(): text.lower() for key, _, text in (part.partition("=") for part in rest)}


async def test_who_logs_in_is_known_by_a_cookie_that_no_script_and_no_other_site_has(closed: Page) -> None:
    answer = await closed.log_in(" Anna ")
    assert answer.status == 200
    told = answer.json()
    assert {key: told[key] for key in ("login", "name", "role", "via", "accounts", "site")} == {
        "login": "anna",
        "name": "Anna Berg",
        "role": "nurse",
        "via": "session",
        "accounts": True,
        "site": "clinic",
    }
    name, secret, said = attributes(answer.header("set-cookie"))
    assert name == "infusion-monitor"
    assert set(said) == {"httponly", "max-age", "path", "samesite"}
    assert (said["path"], said["samesite"]) == ("/", "strict")
    assert 12 * 3600 - 60 < int(said["max-age"]) <= 12 * 3600
    assert secret not in answer.body.decode()
    me = await closed.ask("/api/me", headers=[f"Cookie: {name}={secret}"])
    assert me.json() == told


async def test_each_login_has_a_secret_of_its_own_and_the_one_before_ends(closed: Page) -> None:
    first = (await closed.log_in()).header("set-cookie").partition(";")[0]
    answer = await closed.log_in("anna", PASSWORD, f"Cookie: {first}")
    second = answer.header("set-cookie").partition(";")[0]
    assert first != second
    assert (await closed.ask("/api/me", headers=[f"Cookie: {first}"])).status == 401
    assert (await closed.ask("/api/me", headers=[f"Cookie: {second}"])).status == 200


async def test_a_cookie_that_a_browser_was_given_by_others_is_never_taken_over(closed: Page) -> None:
    answer = await closed.log_in("anna", PASSWORD, "Cookie: infusion-monitor=chosen-by-somebody-else")
    assert "chosen-by-somebody-else" not in answer.header("set-cookie")


async def test_a_logout_ends_the_login_and_takes_the_cookie_back(closed: Page) -> None:
    headers = await closed.anna()
    answer = await closed.ask("/api/logout", "POST", headers=headers)
    assert (answer.status, answer.body) == (204, b"")
    name, secret, said = attributes(answer.header("set-cookie"))
    assert (name, secret, said["max-age"], said["path"]) == ("infusion-monitor", '""', "0", "/")
    assert (await closed.ask("/api/me", headers=headers)).status == 401
    assert [action for _, action, _ in closed.told][-2:] == ["logged in", "logged out"]


async def test_nobody_is_told_how_to_log_in(closed: Page) -> None:
    answer = await closed.ask("/api/me")
    assert answer.status == 401
    assert answer.json() == {
        "error": "unauthorized",
        "text": "log in first",
        "accounts": True,
        "oidc": None,
        "site": "clinic",
    }


async def test_wrong_logins_look_the_same_whatever_was_wrong(closed: Page) -> None:
    answers = [await closed.log_in("anna", "wrong"), await closed.log_in("nobody", PASSWORD)]
    assert [answer.status for answer in answers] == [401, 401]
    assert answers[0].body == answers[1].body
    assert all(not answer.all("set-cookie") for answer in answers)


async def test_nonsense_is_named_without_what_was_said(closed: Page) -> None:
    said = "s3cret-text"
    for fields in ({}, {"login": "anna"}, {"login": "anna", "password": [said]}, {"login": 1, "password": said}, []):
        answer = await wire.post(closed.port, "/api/login", fields)
        assert (answer.status, answer.json()["error"]) == (422, "invalid")
        assert said.encode() not in answer.body


async def test_who_guesses_has_to_wait_even_with_the_right_password_and_others_do_not(closed: Page) -> None:
    answers = [await closed.log_in("anna", f"wrong {number}") for number in range(6)]
    assert [answer.status for answer in answers] == [401] * 5 + [429]
    right = await closed.log_in()
    assert (right.status, right.json()["error"]) == (429, "too_many")
    assert 0 < right.json()["retry_after_s"] == int(right.header("retry-after")) <= 5
    assert not right.all("set-cookie")
    assert (await closed.log_in(of="127.0.0.2")).status == 200
    assert (await closed.log_in("bo")).status == 200


async def test_no_other_site_has_anybody_log_in(closed: Page) -> None:
    for header in ("Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"):
        answer = await closed.log_in("anna", PASSWORD, header)
        assert (answer.status, answer.json()["error"]) == (403, "forbidden")
        assert not answer.all("set-cookie")


async def test_a_page_leads_to_the_login_and_says_where_it_was_to_go(closed: Page) -> None:
    for path, login in (
        ("/", "/login?next=/"),
        ("/beds/one", "/login?next=/beds/one"),
        ("/beds/a%0d%0aSet-Cookie:%20x=1", "/login?next=/beds/a%250D%250ASet-Cookie%253A%2520x%253D1"),
        ("/beds/%22%3E%3Cscript%3E", "/login?next=/beds/%2522%253E%253Cscript%253E"),
        ("/beds/a&error=b", "/login?next=/beds/a%2526error%253Db"),
    ):
        answer = await closed.ask(path)
        assert (answer.status, answer.header("location")) == (303, login)
        assert not answer.all("set-cookie")


async def test_a_link_of_another_site_is_asked_for_once_more_by_the_browser_itself(closed: Page) -> None:
    answer = await closed.ask("/beds/%22%3E%3Cscript%3E", headers=["Sec-Fetch-Site: cross-site"])
    assert answer.status == 200
    assert b'content="0; url=/beds/%22%3E%3Cscript%3E"' in answer.body
    assert b"<script" not in answer.body


async def test_without_accounts_anybody_here_may_try_it_out_but_for_accounts(opened: Page) -> None:
    me = (await opened.ask("/api/me")).json()
    assert (me["login"], me["role"], me["via"], me["accounts"], me["expires_at"]) == (
        "",
        "reviewer",
        "open",
        False,
        None,
    )
    assert (await opened.ask("/")).status == 200
    assert (await opened.ask("/login")).header("location") == "/"
    fields = {"verb": "add", "login": "eve", "name": "Eve", "role": "admin", "password": PASSWORD, "by": "Eve"}
    assert (await wire.post(opened.port, "/api/users", fields)).status == 403
    assert (await wire.post(opened.port, "/api/users", fields, f"X-CSRF-Token: {me['csrf']}")).status == 403
    assert not opened.accounts.exist
    answer = await opened.log_in()
    assert (answer.status, answer.json()["error"]) == (409, "refused")


async def test_what_is_open_to_this_machine_is_not_open_to_a_proxy(opened: Page) -> None:
    for header in (
        "X-Forwarded-For: 10.0.0.7",
        "X-Forwarded-Proto: https",
        "X-Real-IP: 10.0.0.7",
        "Forwarded: x",
        "Via: x",
    ):
        for path in ("/", "/api/me", "/api/snapshot", "/login"):
            answer = await opened.ask(path, headers=[header])
            assert answer.status == 403
            assert "web.trusted_proxies" in answer.json()["text"]


async def test_the_first_account_closes_it_at_once_also_to_who_is_looking(opened: Page) -> None:
    csrf = (await opened.ask("/api/me")).json()["csrf"]
    stream = await wire.send(opened.port, "/api/live")
    assert (await stream.head()).status == 200
    await opened.accounts.add_user("anna", "Anna", Role.ADMIN, None, by="test")
    async with asyncio.timeout(10):
        await stream.reader.read()
    stream.writer.close()
    assert (await opened.ask("/api/snapshot")).status == 401
    assert (await opened.ask("/")).status == 303
    assert (await opened.ask("/api/logout", "POST", headers=[f"X-CSRF-Token: {csrf}"])).status == 401


async def test_a_stream_ends_with_its_login(closed: Page) -> None:
    secret = await closed.accounts.add_token("board", Role.VIEWER, by="test")
    anna, other = await closed.anna(), await closed.anna()
    by_token = [f"Authorization: Bearer {secret}"]
    streams = [await wire.send(closed.port, "/api/live", headers=headers) for headers in (anna, other, by_token)]
    for stream in streams:
        assert (await stream.head()).status == 200
    await closed.ask("/api/logout", "POST", headers=anna)
    async with asyncio.timeout(10):
        await streams[0].reader.read()
    assert await streams[1].reader.readline()
    await closed.accounts.disable("anna", by="test")
    await closed.accounts.revoke_token("board", by="test")
    async with asyncio.timeout(10):
        for stream in streams[1:]:
            await stream.reader.read()
    for stream in streams:
        stream.writer.close()


async def test_over_tls_the_cookie_is_of_this_very_station(tmp_path: Path, quick: Passwords, tls: TlsConfig) -> None:
    async with page(tmp_path, quick, WebConfig(tls=tls)) as served:
        answer = await served.log_in(tls=wire.trusting(tls))
        name, secret, said = attributes(answer.header("set-cookie"))
        assert name == "__Host-infusion-monitor"
        assert set(said) == {"httponly", "max-age", "path", "samesite", "secure"}
        for known, status in ((name, 200), ("infusion-monitor", 401)):
            me = await served.ask("/api/me", headers=[f"Cookie: {known}={secret}"], tls=wire.trusting(tls))
            assert me.status == status
