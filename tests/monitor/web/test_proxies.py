"""Behind a proxy: whom the station believes, and what does not come past it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from monitor.accounts.passwords import Passwords
from monitor.accounts.people import Role
from monitor.web import station_file
from monitor.web.settings import TlsConfig, WebConfig
from tests.monitor.web import wire
from tests.monitor.web.page import PASSWORD, TOKEN, page

NAME = "station.example"
BEHIND = WebConfig(names=(NAME,), trusted_proxies=("127.0.0.1", "10.0.0.0/24"))
THROUGH = ["X-Forwarded-Proto: https", "X-Forwarded-For: 203.0.113.9"]


async def test_what_came_over_tls_through_the_proxy_is_answered(tmp_path: Path, quick: Passwords) -> None:
    async with page(tmp_path, quick, BEHIND) as served:
        answer = await served.log_in("anna", PASSWORD, *THROUGH, f"Origin: https://{NAME}", host=NAME)
        assert answer.status == 200
        cookie = answer.header("set-cookie")
        assert cookie.startswith("__Host-infusion-monitor=")
        assert "; secure" in cookie.lower()
        assert answer.header("strict-transport-security") == "max-age=31536000"
        headers = [*THROUGH, f"Cookie: {cookie.partition(';')[0]}"]
        assert (await served.ask("/api/snapshot", headers=headers, host=NAME)).status == 200
        foreign = await served.log_in("anna", PASSWORD, *THROUGH, f"Origin: http://{NAME}", host=NAME)
        assert foreign.status == 403


async def test_nobody_speaks_to_it_in_clear(tmp_path: Path, quick: Passwords) -> None:
    async with page(tmp_path, quick, BEHIND) as served:
        for headers in (
            [],
            ["X-Forwarded-For: 203.0.113.9"],
            ["X-Forwarded-Proto: http"],
            ["X-Forwarded-Proto: https", "X-Forwarded-Proto: http"],
            ["X-Forwarded-Proto: http, https"],
            ["Forwarded: proto=https"],
        ):
            for path in ("/", "/login", "/static/page.js", "/api/snapshot"):
                answer = await served.ask(path, headers=headers, host=NAME)
                assert (answer.status, answer.json()["error"]) == (403, "forbidden"), (headers, path)
                assert "https://" in answer.json()["text"]
                assert not answer.all("strict-transport-security")
            assert (await served.log_in("anna", PASSWORD, *headers, host=NAME)).status == 403
            for probe in ("/healthz", "/readyz"):
                assert (await served.ask(probe, headers=headers)).status == 200


async def test_who_is_not_the_proxy_is_not_believed(tmp_path: Path, quick: Passwords) -> None:
    web = BEHIND.model_copy(update={"trusted_proxies": ("127.0.0.1",)})
    async with page(tmp_path, quick, web) as served:
        assert (await served.ask("/login", headers=THROUGH, host=NAME, of="127.0.0.2")).status == 403
        assert (await served.ask("/login", headers=THROUGH, host=NAME)).status == 200


async def test_who_guesses_behind_the_proxy_is_told_apart_and_cannot_say_to_be_another(
    tmp_path: Path, quick: Passwords
) -> None:
    async with page(tmp_path, quick, BEHIND) as served:

        async def guess(forwarded: str) -> int:
            said = ("X-Forwarded-Proto: https", f"X-Forwarded-For: {forwarded}")
            return (await served.log_in("anna", "wrong", *said, host=NAME)).status

        # What a browser has put there itself stands before what the proxies add.
        statuses = [await guess(f"198.51.100.{number}, 203.0.113.9, 10.0.0.5") for number in range(7)]
        assert statuses == [401] * 5 + [429] * 2
        assert await guess("203.0.113.10") == 401


async def test_the_audit_has_the_address_of_who_asks_and_not_of_the_proxy(tmp_path: Path, quick: Passwords) -> None:
    async with page(tmp_path, quick, BEHIND) as served:
        admin = await served.accounts.add_token("script", Role.ADMIN, by="test")
        fields = {"verb": "disable", "login": "anna", "by": "ignored"}
        headers = (*THROUGH, f"Authorization: Bearer {admin}")
        assert (await wire.post(served.port, "/api/users", fields, *headers, host=NAME)).status == 200
        assert served.origins[-1] == "203.0.113.9 (token)"
        assert served.told[-1][:2] == ("script", "user disabled")


async def test_the_names_of_the_configuration_are_answered(tmp_path: Path, quick: Passwords) -> None:
    async with page(tmp_path, quick, BEHIND) as served:
        for host in ("127.0.0.1", "localhost", NAME, NAME.upper(), f"{NAME}:443"):
            assert (await served.ask("/login", headers=THROUGH, host=host)).status == 200, host
        assert (await served.ask("/login", headers=THROUGH, host=f"x.{NAME}")).status == 400
        said = [*THROUGH, f"X-Forwarded-Host: {NAME}"]
        assert (await served.ask("/login", headers=said, host="evil.example")).status == 400


async def test_commands_have_a_door_of_their_own(tmp_path: Path, quick: Passwords) -> None:
    async with page(tmp_path, quick, BEHIND) as served:
        door = station_file.read(tmp_path)
        assert door is not None
        assert (door.host, door.token) == ("127.0.0.1", TOKEN)
        assert door.port != served.port
        token = f"Authorization: Bearer {TOKEN}"
        assert (await wire.ask(door.port, "/api/users", headers=[token])).status == 200
        # The page does not know that token, and the door knows nothing else.
        assert (await served.ask("/api/users", headers=[*THROUGH, token], host=NAME)).status == 401
        login = await served.accounts.log_in_known("bo", "127.0.0.1")
        cookie = f"Cookie: __Host-infusion-monitor={login.secret}; infusion-monitor={login.secret}"
        other = await served.accounts.add_token("script", Role.ADMIN, by="test")
        for headers in ([], [cookie], [f"Authorization: Bearer {other}"], [token, "X-Forwarded-For: 127.0.0.1"]):
            for path in ("/", "/login", "/static/page.js", "/api/users", "/api/snapshot", "/nowhere"):
                assert (await wire.ask(door.port, path, headers=headers)).status == 401
        fields = {"login": "anna", "password": PASSWORD}
        assert (await wire.post(door.port, "/api/login", fields)).status == 401
        assert (await wire.ask(door.port, "/api/users", headers=[token], host=NAME)).status == 400
    assert station_file.read(tmp_path) is None


async def test_an_address_of_the_old_kind_is_told_as_such(tmp_path: Path, quick: Passwords, tls: TlsConfig) -> None:
    web = WebConfig(host="::", names=("127.0.0.1",), tls=tls)
    async with page(tmp_path, quick, web) as served:
        context = await asyncio.to_thread(wire.trusting, tls)
        answers = [await served.log_in("anna", f"wrong {number}", tls=context) for number in range(6)]
        assert answers[-1].status == 429
        assert served.origins[-1] == "127.0.0.1"
