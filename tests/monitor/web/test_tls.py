"""The page over TLS, and the certificate that it needs."""

from __future__ import annotations

import ssl
import time
from pathlib import Path

import pytest

from drivers.errors import ConfigError
from monitor.accounts.passwords import Passwords
from monitor.web import certificate as checks
from monitor.web import station_file
from monitor.web.settings import TlsConfig, WebConfig
from tests.monitor.web import wire
from tests.monitor.web.certificates import certificate
from tests.monitor.web.page import TOKEN, page


async def test_the_page_is_served_over_tls_to_others_and_kept_so(
    tmp_path: Path, quick: Passwords, tls: TlsConfig
) -> None:
    web = WebConfig(host="0.0.0.0", names=("station.example",), tls=tls)
    async with page(tmp_path, quick, web) as served:
        assert served.front.page.address == f"https://station.example:{served.port}"
        context = wire.trusting(tls)
        answer = await served.ask("/login", tls=context, host="station.example")
        assert answer.status == 200
        assert answer.header("strict-transport-security") == "max-age=31536000"
        assert (await served.ask("/api/snapshot", tls=context, host="station.example")).status == 401
        old = wire.trusting(tls)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await served.ask("/login", tls=old, host="station.example")


async def test_a_browser_of_this_machine_alone_is_not_made_to_remember_it(
    tmp_path: Path, quick: Passwords, tls: TlsConfig
) -> None:
    async with page(tmp_path, quick, WebConfig(tls=tls)) as served:
        answer = await served.ask("/login", tls=wire.trusting(tls))
        assert answer.status == 200
        assert not answer.all("strict-transport-security")


async def test_the_page_does_not_know_the_token_of_commands(tmp_path: Path, quick: Passwords, tls: TlsConfig) -> None:
    async with page(tmp_path, quick, WebConfig(tls=tls)) as served:
        headers = [f"Authorization: Bearer {TOKEN}"]
        assert (await served.ask("/api/users", headers=headers, tls=wire.trusting(tls))).status == 401
        door = station_file.read(tmp_path)
        assert door is not None
        assert (await wire.ask(door.port, "/api/users", headers=headers)).status == 200


async def test_who_speaks_in_clear_gets_nothing(tmp_path: Path, quick: Passwords, tls: TlsConfig) -> None:
    async with page(tmp_path, quick, WebConfig(tls=tls)) as served:
        with pytest.raises((ConnectionError, EOFError)):
            await served.ask("/login")


def test_a_good_one_is_not_doubted(tls: TlsConfig) -> None:
    assert checks.unusable(tls) is None
    assert checks.doubts(tls, ("localhost", "STATION.example", "127.0.0.1")) == []


def test_one_that_browsers_will_not_take_is_doubted(tmp_path: Path, tls: TlsConfig) -> None:
    assert "expired" in checks.doubts(certificate(tmp_path / "old", ends=-0.5), ())[0]
    assert "not yet valid" in checks.doubts(certificate(tmp_path / "young", begins=1), ())[0]
    [soon] = checks.doubts(certificate(tmp_path / "soon", ends=10.2), ())
    assert "ends in 10 days" in soon
    [later] = checks.doubts(tls, (), time.time() + 360 * 86_400)
    assert "ends in 5 days" in later
    [name, address] = checks.doubts(tls, ("other.example", "127.0.0.1", "10.0.0.1"))
    assert "is not for other.example" in name
    assert "is not for 10.0.0.1" in address


def test_one_that_cannot_be_served_with_is_refused(tmp_path: Path, tls: TlsConfig) -> None:
    other = certificate(tmp_path / "other")
    secret = certificate(tmp_path / "secret", password="x")
    for cert_file, key_file, text in (
        (tls.cert_file, other.key_file, "is not that of the certificate"),
        (tls.key_file, tls.key_file, "are not a certificate and its key"),
        (secret.cert_file, secret.key_file, "without a password"),
        (str(tmp_path / "none"), tls.key_file, "No such file"),
    ):
        with pytest.raises(ConfigError, match=text):
            checks.context(TlsConfig(cert_file=cert_file, key_file=key_file))
