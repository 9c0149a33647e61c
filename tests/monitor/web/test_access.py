"""Who may ask what: every route of the station, for everybody who could ask."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from drivers.clock import ManualClock
from monitor.accounts.people import Role
from monitor.station import Station
from tests.monitor.web.served import TWO_CHAIRS, routes_of, served
from tests.monitor.web.wire import Answer, ask, assert_guarded, port_of, send

SITE = TWO_CHAIRS + "web: {oidc: {issuer: 'http://127.0.0.1:9', client_id: x, client_secret_env: PATH}}\n"
JSON = "Content-Type: application/json"


class Entry(NamedTuple):
    """What is expected of a route."""

    least: Role | None
    """None: anybody may ask."""
    done: int
    """The status for who may; of a POST it is asked with an empty object, so that nothing is done."""
    without: int = 401
    """The status for nobody who is known."""


ROUTES = {
    ("GET", "/"): Entry(Role.VIEWER, 200, 303),
    ("GET", "/beds/{bed}"): Entry(Role.VIEWER, 200, 303),
    ("GET", "/review"): Entry(Role.VIEWER, 200, 303),
    ("GET", "/review/{session}"): Entry(Role.VIEWER, 200, 303),
    ("GET", "/login"): Entry(None, 200),
    ("GET", "/static"): Entry(None, 200),
    ("GET", "/healthz"): Entry(None, 200),
    ("GET", "/readyz"): Entry(None, 200),
    ("GET", "/metrics"): Entry(Role.VIEWER, 200),
    ("GET", "/openapi.json"): Entry(Role.VIEWER, 200),
    ("GET", "/oidc/login"): Entry(None, 303),
    ("GET", "/oidc/callback"): Entry(None, 303),
    ("GET", "/api/words/{language}"): Entry(None, 200),
    ("GET", "/api/me"): Entry(Role.VIEWER, 200),
    ("POST", "/api/login"): Entry(None, 422),
    ("POST", "/api/logout"): Entry(Role.VIEWER, 204),
    ("GET", "/api/live"): Entry(Role.VIEWER, 200),
    ("GET", "/api/snapshot"): Entry(Role.VIEWER, 200),
    ("GET", "/api/beds/{bed}"): Entry(Role.VIEWER, 200),
    ("GET", "/api/beds/{bed}/trends"): Entry(Role.VIEWER, 200),
    ("GET", "/api/beds/{bed}/pleth"): Entry(Role.VIEWER, 200),
    ("GET", "/api/beds/{bed}/alerts"): Entry(Role.VIEWER, 200),
    ("GET", "/api/alerts"): Entry(Role.VIEWER, 200),
    ("POST", "/api/alerts"): Entry(Role.NURSE, 422),
    ("POST", "/api/sessions"): Entry(Role.NURSE, 422),
    ("POST", "/api/recordings"): Entry(Role.ADMIN, 422),
    ("GET", "/api/sessions"): Entry(Role.VIEWER, 200),
    ("GET", "/api/sessions/{session}"): Entry(Role.VIEWER, 404),
    ("GET", "/api/sessions/{session}/vitals"): Entry(Role.VIEWER, 404),
    ("GET", "/api/sessions/{session}/report.{suffix}"): Entry(Role.VIEWER, 422),
    ("GET", "/api/sessions/{session}/export/{name}"): Entry(Role.VIEWER, 404),
    ("GET", "/api/users"): Entry(Role.ADMIN, 200),
    ("POST", "/api/users"): Entry(Role.ADMIN, 422),
    ("GET", "/api/tokens"): Entry(Role.ADMIN, 200),
    ("POST", "/api/tokens"): Entry(Role.ADMIN, 422),
}
"""A route without an entry here fails the test below."""
PAGES = {"/", "/beds/{bed}", "/review", "/review/{session}", "/login", "/static"}
UNGUARDED = {
    *("/healthz", "/readyz", "/static", "/login", "/oidc/login", "/oidc/callback"),
    "/api/words/{language}",
}
"""Open to anybody, from wherever: they say nothing of the station, or have guards of their own."""


class Case(NamedTuple):
    name: str
    headers: list[str]
    role: Role | None
    """As whom the station may know it; None for nobody."""
    foreign: bool = False
    """Whether another site's page asks, as is known of a request that changes something."""
    cross_site: bool = False
    """Whether the browser says so of every request."""


@pytest.fixture
async def station(tmp_path: Path) -> AsyncIterator[Station]:
    # A ManualClock stands still, so that nothing ends by itself.
    async with served(tmp_path, SITE, ManualClock()) as clinic:
        yield clinic.station


async def logged_in(station: Station, role: Role) -> list[str]:
    """The headers of somebody who has just logged in."""
    if station.accounts.user(role.value) is None:
        await station.accounts.add_user(role.value, role.value.title(), role, None, by="test")
    login = await station.accounts.log_in_known(role.value, "127.0.0.1")
    return [f"Cookie: infusion-monitor={login.secret}", f"X-CSRF-Token: {login.csrf}"]


async def cases(station: Station, port: int) -> list[Case]:
    """Each browser has a login of its own, so that one may log out."""
    people = [Case(role.value, await logged_in(station, role), role) for role in Role]
    stale = await logged_in(station, Role.ADMIN)
    await station.accounts.log_out(stale[0].rpartition("=")[2])
    name = secrets.token_hex(4)
    revoked = await station.accounts.add_token(f"old {name}", Role.ADMIN, by="test")
    await station.accounts.revoke_token(f"old {name}", by="test")
    viewer, other = [
        await station.accounts.add_token(f"{role.value} {name}", role, by="test") for role in (Role.VIEWER, Role.ADMIN)
    ]
    own = f"Origin: http://127.0.0.1:{port}"

    async def admin(name: str, *headers: str, foreign: bool = False, cross_site: bool = False) -> Case:
        return Case(name, [*(await logged_in(station, Role.ADMIN)), *headers], Role.ADMIN, foreign, cross_site)

    async def forged(name: str, *headers: str) -> Case:
        cookie, _ = await logged_in(station, Role.ADMIN)
        return Case(name, [cookie, *headers], Role.ADMIN, foreign=True)

    return [
        *people,
        Case("nobody", [], None),
        Case("stale cookie", stale, None),
        Case("revoked token", [f"Authorization: Bearer {revoked}"], None),
        Case("another start's token", ["Authorization: Bearer x", *people[-1].headers], None),
        Case("viewer's token", [f"Authorization: Bearer {viewer}"], Role.VIEWER),
        Case("admin's token", [f"Authorization: Bearer {other}"], Role.ADMIN),
        Case("a command", [f"Authorization: Bearer {station._token}"], Role.ADMIN),
        await admin("own origin", own, "Sec-Fetch-Site: same-origin"),
        await admin("foreign origin", "Origin: https://evil.example", foreign=True),
        await admin("other scheme", own.replace("http", "https"), foreign=True),
        await admin("other port", f"{own}0", foreign=True),
        await admin("hidden origin", "Origin: null", foreign=True),
        await admin("cross-site", "Sec-Fetch-Site: cross-site", foreign=True, cross_site=True),
        await admin("same site", "Sec-Fetch-Site: same-site", foreign=True, cross_site=True),
        await forged("no csrf"),
        await forged("wrong csrf", f"X-CSRF-Token: {'0' * 64}"),
        await forged("another login's csrf", people[0].headers[1]),
    ]


def expected(method: str, path: str, case: Case) -> int:
    entry = ROUTES[method, path]
    if path in UNGUARDED:
        return entry.done
    if path in PAGES:
        return entry.done if case.role is not None else entry.without
    if path == "/api/login":
        return 403 if case.foreign and "csrf" not in case.name else entry.done
    if case.role is None:
        return entry.without
    forged = case.cross_site or (case.foreign and method == "POST")
    return 403 if forged or entry.least is None or not case.role.includes(entry.least) else entry.done


async def asked(port: int, method: str, path: str, headers: list[str]) -> Answer:
    there = "/static/page.js" if path == "/static" else path.replace("{bed}", "one").replace("{language}", "de")
    host = f"127.0.0.1:{port}"
    if path == "/api/live":
        # It has no end.
        stream = await send(port, there, headers=headers, host=host)
        head = await stream.head()
        stream.writer.close()
        return head
    body = b"" if method == "GET" else b"{}"
    return await ask(port, there, method, headers=[*headers, *([JSON] if body else [])], body=body, host=host)


async def test_every_route_has_an_entry(station: Station) -> None:
    assert set(routes_of(station._front.app.routes)) == set(ROUTES)


async def test_each_is_for_those_whom_it_is_for(station: Station) -> None:
    port = port_of(station.page.address)
    everybody = await cases(station, port)
    wrong = []
    for method, path in ROUTES:
        # A logout ends what one had.
        for case in everybody if path != "/api/logout" else await cases(station, port):
            answer = await asked(port, method, path, case.headers)
            assert_guarded(answer)
            if answer.status != (should := expected(method, path, case)):
                wrong.append(f"{method} {path} for {case.name}: {answer.status}, not {should}")
    assert wrong == []


async def test_what_a_form_could_send_is_not_taken(station: Station) -> None:
    port = port_of(station.page.address)
    known = await logged_in(station, Role.ADMIN)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None):
        headers = [*known, *([] if kind is None else [f"Content-Type: {kind}"])]
        for method, path in ROUTES:
            if method == "POST":
                answer = await ask(port, path, method, headers=headers, body=b"{}", host=f"127.0.0.1:{port}")
                assert (answer.status, answer.json()["error"]) == (415, "media_type"), (path, kind)


async def test_a_role_that_is_changed_counts_at_once(station: Station) -> None:
    port = port_of(station.page.address)
    await logged_in(station, Role.ADMIN)
    headers = await logged_in(station, Role.NURSE)
    assert (await asked(port, "POST", "/api/sessions", headers)).status == 422
    await station.accounts.set_role("nurse", Role.VIEWER, by="test")
    assert (await asked(port, "POST", "/api/sessions", headers)).status == 403
    await station.accounts.disable("nurse", by="test")
    assert (await asked(port, "GET", "/api/snapshot", headers)).status == 401
