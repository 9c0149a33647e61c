"""Logging in at a provider: what of it is believed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import RSAKey

from drivers.clock import ManualClock
from monitor.accounts.passwords import Passwords
from monitor.accounts.people import Role
from monitor.web.oidc import LASTS, Begins
from monitor.web.settings import OidcConfig, WebConfig
from tests.monitor.web.page import PASSWORD, Page, page
from tests.monitor.web.provider import CLIENT, SECRET, Provider, other_keys, provider
from tests.monitor.web.wire import Answer

REFUSED = "/login?error=oidc_refused"
EXPIRED = "/login?error=oidc_expired"
UNAVAILABLE = "/login?error=oidc_unavailable"


@pytest.fixture
async def forged() -> AsyncIterator[Provider]:
    async with provider() as served:
        yield served


@pytest.fixture
async def clinic(
    tmp_path: Path, quick: Passwords, forged: Provider, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Page]:
    """Anna, a nurse, has no password; Bo, an admin, has one."""
    monkeypatch.setenv("OIDC_SECRET", SECRET)
    async with page(tmp_path, quick, WebConfig(oidc=settings(forged)), accounts=False) as served:
        await served.accounts.add_user("anna", "Anna Berg", Role.NURSE, None, by="test")
        await served.accounts.add_user("bo", "Bo", Role.ADMIN, PASSWORD, by="test")
        yield served


def settings(provider: Provider, **more: Any) -> OidcConfig:
    return OidcConfig(issuer=provider.issuer, client_id=CLIENT, client_secret_env="OIDC_SECRET", **more)


def cookie_of(answer: Answer, name: str) -> str:
    """What the browser keeps of it under that name; empty where it keeps nothing."""
    for line in answer.all("set-cookie"):
        key, _, value = line.partition(";")[0].partition("=")
        if key == name and value not in {"", '""'}:
            return value
    return ""


async def begin(clinic: Page, provider: Provider, query: str = "") -> tuple[str, str]:
    """The state, and the cookie line of the browser that began."""
    answer = await clinic.ask(f"/oidc/login{query}")
    assert answer.status == 303, answer
    there = urlsplit(answer.header("location"))
    assert f"{there.scheme}://{there.netloc}{there.path}" == f"{provider.issuer}/authorize"
    asked = parse_qs(there.query)
    assert asked["redirect_uri"] == ["http://127.0.0.1/oidc/callback"]
    provider.asked(asked)
    return asked["state"][0], f"Cookie: infusion-monitor-oidc={cookie_of(answer, 'infusion-monitor-oidc')}"


async def back(clinic: Page, state: str, cookie: str, code: str = "code") -> Answer:
    return await clinic.ask(f"/oidc/callback?state={state}&code={code}", headers=[cookie])


async def through(clinic: Page, provider: Provider, query: str = "") -> Answer:
    return await back(clinic, *(await begin(clinic, provider, query)))


async def test_who_is_known_there_and_here_is_logged_in_and_goes_on(clinic: Page, forged: Provider) -> None:
    answer = await through(clinic, forged, "?next=/beds/one")
    assert answer.status == 200
    assert b'content="0; url=/beds/one"' in answer.body
    secret = cookie_of(answer, "infusion-monitor")
    [line] = [line for line in answer.all("set-cookie") if line.startswith("infusion-monitor=")]
    assert "samesite=strict" in line.lower()
    me = (await clinic.ask("/api/me", headers=[f"Cookie: infusion-monitor={secret}"])).json()
    assert (me["login"], me["name"], me["role"], me["via"]) == ("anna", "Anna Berg", "nurse", "session")
    assert clinic.told[-1] == ("anna", "logged in", "anna (Anna Berg), OpenID Connect")


async def test_nobody_is_told_that_there_is_a_provider_but_its_name(clinic: Page) -> None:
    assert (await clinic.ask("/api/me")).json()["oidc"] == "Hospital login"


async def test_it_goes_on_to_nowhere_else(clinic: Page, forged: Provider) -> None:
    for path in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "", "/%0a/evil"):
        answer = await through(clinic, forged, f"?next={path}")
        assert answer.status == 200
        assert b'content="0; url=/"' in answer.body, path


async def refused(clinic: Page, forged: Provider) -> bool:
    """Whether a login is refused, and gives nothing to keep."""
    answer = await through(clinic, forged)
    return (answer.status, answer.header("location"), cookie_of(answer, "infusion-monitor")) == (303, REFUSED, "")


async def test_an_id_token_that_proves_something_else_lets_nobody_in(clinic: Page, forged: Provider) -> None:
    now = int(time.time())
    for claims in (
        {"iss": "https://evil.example"},
        {"aud": "another-client"},
        {"aud": [CLIENT, "another-client"]},
        {"aud": [CLIENT], "azp": "another-client"},
        {"exp": now - 120},
        {"iat": now + 3600},
        {"nbf": now + 3600},
        {"nonce": "of-another-login"},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
        {"preferred_username": "nobody-here"},
        {"preferred_username": "anna x"},
        {"preferred_username": ["anna"]},
        {"preferred_username": "bo"},
    ):
        forged.claims = claims
        assert await refused(clinic, forged), claims
    forged.claims = {}
    assert not await refused(clinic, forged)


async def test_an_id_token_that_leaves_something_out_lets_nobody_in(clinic: Page, forged: Provider) -> None:
    for missing in ("iss", "aud", "exp", "iat", "nonce", "sub", "preferred_username"):
        forged.left_out = {missing}
        assert await refused(clinic, forged), missing


async def test_an_id_token_that_another_signed_lets_nobody_in(clinic: Page, forged: Provider) -> None:
    for algorithm, key in other_keys().items():
        forged.key, forged.header["alg"] = key, algorithm
        assert await refused(clinic, forged), algorithm


async def test_an_id_token_that_nobody_signed_lets_nobody_in(clinic: Page, forged: Provider) -> None:
    forged.header["alg"] = "none"
    assert await refused(clinic, forged)


async def test_a_provider_may_change_its_key(clinic: Page, forged: Provider) -> None:
    assert (await through(clinic, forged)).status == 200
    forged.key = forged.shown = RSAKey.generate_key(2048, {"kid": "two"})
    forged.header["kid"] = "two"
    assert (await through(clinic, forged)).status == 200


async def test_a_code_counts_once_and_only_for_the_browser_that_began(clinic: Page, forged: Provider) -> None:
    state, cookie = await begin(clinic, forged)
    _, others = await begin(clinic, forged)
    for wrong in (others, "Cookie: infusion-monitor-oidc=", "Accept: */*"):
        assert (await back(clinic, state, wrong)).header("location") == EXPIRED
    for unknown in ("", "x", state[:-1]):
        assert (await back(clinic, unknown, cookie)).header("location") == EXPIRED
    assert forged.codes == []
    # The other login has another nonce and another verifier.
    assert (await back(clinic, state, cookie)).header("location") == REFUSED
    assert (await back(clinic, state, cookie)).header("location") == EXPIRED
    assert len(forged.codes) == 1


async def test_what_the_provider_says_is_shown_to_nobody(
    clinic: Page, forged: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    state, cookie = await begin(clinic, forged)
    said = f"/oidc/callback?state={state}&error=access_denied&error_description=<b>come+in</b>"
    answer = await clinic.ask(said, headers=[cookie])
    assert (answer.status, answer.header("location")) == (303, REFUSED)
    forged.refuses = True
    answer = await through(clinic, forged)
    assert (answer.status, answer.header("location"), answer.body) == (303, REFUSED, b"")
    assert "\x1b" not in caplog.text
    assert SECRET not in caplog.text


async def test_a_provider_that_is_not_the_one_is_not_used(clinic: Page, forged: Provider) -> None:
    for metadata in (
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"authorization_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
    ):
        forged.metadata = metadata
        assert (await clinic.ask("/oidc/login")).header("location") == UNAVAILABLE, metadata


async def test_a_provider_that_is_down_is_said_once_and_again_when_it_is_back(
    tmp_path: Path, quick: Passwords, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OIDC_SECRET", SECRET)
    async with provider() as gone:
        web = WebConfig(oidc=settings(gone))
    async with page(tmp_path, quick, web) as served:
        for _ in range(3):
            assert (await served.ask("/oidc/login")).header("location") == UNAVAILABLE
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert (await served.log_in()).status == 200


async def test_groups_give_accounts_and_roles_where_the_configuration_says_so(
    tmp_path: Path, quick: Passwords, forged: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OIDC_SECRET", SECRET)
    roles = {"wards": Role.VIEWER, "infusion": Role.NURSE, "it": Role.ADMIN}
    web = WebConfig(oidc=settings(forged, roles_claim="groups", roles=roles))
    async with page(tmp_path, quick, web) as served:

        async def comes(login: str, groups: object) -> str | None:
            forged.claims = {"preferred_username": login, "groups": groups, "name": f"{login.title()} C"}
            answer = await through(served, forged)
            user = served.accounts.user(login.lower())
            assert (answer.status == 200) == (cookie_of(answer, "infusion-monitor") != "")
            return user.role.value if user is not None and answer.status == 200 else None

        assert await comes("Cleo", ["wards", "infusion", "choir"]) == "nurse"
        assert await comes("cleo", "it") == "admin"
        assert await comes("cleo", ["wards"]) == "viewer"
        for nothing in (["choir"], [], None, {"it": True}, [["it"]]):
            assert await comes("cleo", nothing) is None
        assert await comes("dan", ["choir"]) is None
        assert served.accounts.user("dan") is None
        # Anna has a password here: she is not whoever is called that there.
        assert await comes("anna", ["it"]) is None
        assert served.accounts.user("anna").role is Role.NURSE  # type: ignore[union-attr] # she has an account
        await served.accounts.disable("cleo", by="test")
        assert await comes("cleo", ["it"]) is None
        actions = [(who, what) for who, what, _ in served.told if who == "OpenID Connect"]
        assert actions == [("OpenID Connect", "user added")] + [("OpenID Connect", "role changed")] * 2


async def test_what_was_begun_ends_and_is_bounded() -> None:
    clock = ManualClock()
    begins = Begins(clock)
    state, browser, _ = begins.begin("10.0.0.1", "/")
    await clock.advance(LASTS)
    assert begins.take(state, browser) is None
    kept = [begins.begin("10.0.0.2", "/") for _ in range(3)]
    for _ in range(500):
        begins.begin("10.0.0.1", "/")
    assert all(begins.take(state, browser) is not None for state, browser, _ in kept)
    for number in range(5000):
        begins.begin(f"10.1.{number // 250}.{number % 250}", "/")
    assert len(begins._begun) <= 2000
