"""What the program refuses to serve, and a station that it serves over TLS."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from drivers.clock import SystemClock
from drivers.errors import ConfigError
from monitor.accounts.accounts import Accounts
from monitor.accounts.passwords import Passwords
from monitor.accounts.people import Role
from monitor.web.front import check_admission
from monitor.web.settings import OidcConfig, TlsConfig, WebConfig
from tests.monitor.program import RunningStation, Start, call
from tests.monitor.web import wire

BED = "beds: [{id: one, devices: [{id: oximeter, driver: nonin, url: 'tcp://127.0.0.1:9'}]}]\n"


def site(folder: Path, web: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(f"{BED}web: {web}\n", encoding="utf-8")
    return path


async def give(folder: Path, quick: Passwords, *roles: Role, password: bool = True) -> Accounts:
    """The accounts of a data folder, one of each of these roles."""
    accounts = Accounts(folder, SystemClock(), lambda *_said, **_more: None, passwords=quick)
    await accounts.load()
    for role in roles:
        await accounts.add_user(role.value, role.title(), role, "correct horse 42" if password else None, by="test")
    return accounts


def test_a_page_in_clear_for_others_is_refused_with_its_line(tmp_path: Path) -> None:
    path = site(tmp_path, "{host: 0.0.0.0, names: [station.example], port: 0}")
    for command in (("check", path), ("run", "--config", path, "--data-dir", tmp_path / "data")):
        done = call(*command)
        assert done.returncode == 2
        assert f"{path}:2: web.host: 0.0.0.0 is to be reached from other machines: " in done.stderr
        assert "web.tls" in done.stderr
        assert "web.trusted_proxies" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_page_for_others_into_which_nobody_could_log_in_is_refused(tmp_path: Path, tls: TlsConfig) -> None:
    keys = f"tls: {{cert_file: {tls.cert_file}, key_file: {tls.key_file}}}"
    path = site(tmp_path, f"{{host: 0.0.0.0, names: [station.example], port: 0, {keys}}}")
    assert call("check", path).returncode == 0
    done = call("run", "--config", path, "--data-dir", tmp_path / "data")
    assert done.returncode == 2
    assert "web.host 0.0.0.0" in done.stderr
    assert f"infusion-monitor user add LOGIN --name NAME --role admin --data-dir {tmp_path / 'data'}" in done.stderr
    assert not (tmp_path / "data" / "station.json").exists()


def test_damaged_accounts_are_never_none(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "accounts.json").write_text("{")
    done = call("run", "--config", site(tmp_path, "{port: 0}"), "--data-dir", data)
    assert done.returncode == 2
    assert "accounts.json" in done.stderr


@pytest.mark.parametrize("roles", [(), (Role.REVIEWER,), (Role.ADMIN,)])
async def test_somebody_must_be_able_to_log_in_as_admin(
    tmp_path: Path, quick: Passwords, tls: TlsConfig, roles: tuple[Role, ...]
) -> None:
    # An admin without a password logs in at a provider, and none is configured.
    accounts = await give(tmp_path, quick, *roles, password=Role.ADMIN not in roles)
    behind = WebConfig(trusted_proxies=("127.0.0.1",))
    for web in (WebConfig(host="0.0.0.0", names=("a",), tls=tls), behind):
        with pytest.raises(ConfigError, match="nobody could log in as admin"):
            check_admission(web, accounts, tmp_path)
    check_admission(WebConfig(tls=tls), accounts, tmp_path)
    # A provider says who is admin.
    oidc = OidcConfig(issuer="https://login.example", client_id="x")
    check_admission(behind.model_copy(update={"oidc": oidc}), accounts, tmp_path)


async def test_with_an_admin_it_is_served_but_never_in_clear(tmp_path: Path, quick: Passwords, tls: TlsConfig) -> None:
    accounts = await give(tmp_path, quick, Role.ADMIN)
    check_admission(WebConfig(host="0.0.0.0", names=("a",), tls=tls), accounts, tmp_path)
    check_admission(WebConfig(trusted_proxies=("127.0.0.1",)), accounts, tmp_path)
    with pytest.raises(ConfigError, match="in clear"):
        check_admission(WebConfig(host="0.0.0.0", names=("a",)), accounts, tmp_path)


async def test_commands_reach_a_station_that_speaks_tls_with_everybody_else(
    tmp_path: Path, quick: Passwords, tls: TlsConfig, start_station: Start
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    await (await give(data, quick, Role.ADMIN)).close()
    keys = f"tls: {{cert_file: {tls.cert_file}, key_file: {tls.key_file}}}"
    path = site(tmp_path, f"{{host: 0.0.0.0, names: [localhost], {keys}}}")
    station: RunningStation = start_station(data, "--config", path)
    assert station.page.startswith("https://localhost:")
    opened = call(
        "session", "open", "one", "--reference", "P-1", "--by", "Anna", "--config", path, "--data-dir", data, "--json"
    )
    assert (opened.returncode, json.loads(opened.stdout)["recorded"]) == (0, True), opened.stderr
    listed = call("alert", "list", "--config", path, "--data-dir", data)
    assert listed.returncode == 0, listed.stderr
    assert call("user", "disable", "admin", "--config", path, "--data-dir", data).returncode == 1
    context = wire.trusting(tls)
    assert status(station.page + "/healthz", context) == 200
    assert status(station.page + "/api/snapshot", context) == 401
    assert station.stop()[0] == 0


def status(address: str, context: ssl.SSLContext) -> int:
    try:
        with urllib.request.urlopen(address, timeout=10, context=context) as answer:
            found: int = answer.status
            return found
    except urllib.error.HTTPError as error:
        return error.code
