"""Logging in with a real browser: with a password over TLS, and at a real OpenID Connect provider."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from monitor.accounts.passwords import Passwords
from monitor.accounts.people import Role
from monitor.web.settings import OidcConfig, TlsConfig, WebConfig
from tests.monitor.web.page import PASSWORD
from tests.monitor.web.page import Page as Served
from tests.monitor.web.page import page as serve
from tests.server import Server

LOGIN = "**/login*"


class OidcProvider(Server):
    """Its users are Anna, who has an account here, and Eve, who has none."""

    def command(self) -> list[str | Path]:
        users = [{"sub": name, "preferred_username": name, "name": name.title()} for name in ("anna", "eve")]
        said = [part for user in users for part in ("--user-claims", json.dumps(user))]
        return [sys.executable, "-m", "oidc_provider_mock", "--require-nonce", "--port", str(self.port), *said]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    with OidcProvider(tmp_path_factory.mktemp("provider")) as provider:
        yield provider


@pytest.fixture
async def visitor(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(ignore_https_errors=True)
    yield await context.new_page()
    await context.close()


@pytest.fixture
async def hospital(
    tmp_path: Path, quick: Passwords, tls: TlsConfig, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Served]:
    """A page over TLS, with a provider at another site."""
    monkeypatch.setenv("OIDC_SECRET", "anything")
    oidc = OidcConfig(
        issuer=f"http://localhost:{provider.port}",
        client_id="station",
        client_secret_env="OIDC_SECRET",
        title="The house",
    )
    async with serve(tmp_path, quick, WebConfig(tls=tls, oidc=oidc), accounts=False) as served:
        await served.accounts.add_user("anna", "Anna Berg", Role.NURSE, None, by="test")
        await served.accounts.add_user("bo", "Bo", Role.ADMIN, PASSWORD, by="test")
        yield served


async def cookies(visitor: Page) -> dict[str, object]:
    return {cookie["name"]: cookie for cookie in await visitor.context.cookies()}


async def test_with_a_password_then_out_again(hospital: Served, visitor: Page) -> None:
    await visitor.goto(f"{hospital.front.page.address}/beds/one")
    await visitor.wait_for_url("**/login?next=/beds/one")
    await visitor.get_by_label("Login").fill("bo")
    await visitor.get_by_label("Password", exact=True).fill(PASSWORD)
    await visitor.get_by_role("button", name="Log in").click()
    await visitor.wait_for_url(f"{hospital.front.page.address}/beds/one")
    cookie = (await cookies(visitor))["__Host-infusion-monitor"]
    assert {key: cookie[key] for key in ("secure", "httpOnly", "sameSite", "path")} == {  # type: ignore[index] # a dict
        "secure": True,
        "httpOnly": True,
        "sameSite": "Strict",
        "path": "/",
    }
    assert await visitor.evaluate("document.cookie") == ""
    # The page itself says the token of /api/me, and the browser its origin.
    await visitor.get_by_role("button", name="Log out").click()
    await visitor.wait_for_url("**/login")
    assert await cookies(visitor) == {}
    await visitor.goto(hospital.front.page.address)
    await visitor.wait_for_url("**/login?next=/")


async def test_at_the_provider_and_back_to_where_it_was_to_go(hospital: Served, visitor: Page) -> None:
    await visitor.goto(f"{hospital.front.page.address}/beds/one")
    await visitor.wait_for_url("**/login?next=/beds/one")
    await visitor.get_by_role("link", name="The house").click()
    await visitor.wait_for_url("**/oauth2/authorize*")
    await visitor.get_by_role("button", name="anna").click()
    await visitor.wait_for_url(f"{hospital.front.page.address}/beds/one")
    assert set(await cookies(visitor)) >= {"__Host-infusion-monitor"}
    me = await visitor.evaluate("fetch('/api/me').then((answer) => answer.json())")
    assert (me["login"], me["via"]) == ("anna", "session")
    # A link in a mail, or on another site, leads to the page and not to the login.
    await visitor.goto("about:blank")
    await visitor.set_content(f'<a href="{hospital.front.page.address}/beds/one">There</a>')
    await visitor.get_by_role("link", name="There").click()
    await visitor.wait_for_url(f"{hospital.front.page.address}/beds/one")


async def test_who_has_no_account_here_is_told_so(hospital: Served, visitor: Page) -> None:
    await visitor.goto(f"{hospital.front.page.address}/oidc/login")
    await visitor.get_by_role("button", name="eve").click()
    await visitor.wait_for_url("**/login?error=oidc_refused")
    await expect(visitor.get_by_label("Login")).to_be_visible()
    assert "__Host-infusion-monitor" not in await cookies(visitor)
    await visitor.goto(f"{hospital.front.page.address}/oidc/login")
    await visitor.get_by_role("button", name="Deny").click()
    await visitor.wait_for_url("**/login?error=oidc_refused")


async def test_no_other_site_can_do_anything_with_it(tmp_path: Path, quick: Passwords, visitor: Page) -> None:
    """The page is on 127.0.0.1, the other site on localhost: a browser takes them for two."""
    async with serve(tmp_path, quick, accounts=False) as served:
        await visitor.goto(served.front.page.address.replace("127.0.0.1", "localhost") + "/static/icon.svg")
        outcome = await visitor.evaluate(
            """async (station) => {
                const done = [];
                for (const request of [
                    { method: "GET" },
                    { method: "POST", body: "{}", mode: "no-cors" },
                    { method: "POST", body: "{}", headers: { "Content-Type": "application/json" } },
                ]) {
                    try {
                        const answer = await fetch(station + "/api/me", request);
                        done.push(answer.type);
                    } catch (problem) {
                        done.push(problem.name);
                    }
                }
                return done;
            }""",
            served.front.page.address,
        )
        assert "basic" not in outcome
        assert "cors" not in outcome
