"""The `web` section: what it may say, and every fault with its line."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from drivers.errors import ConfigError
from monitor import config_file
from monitor.accounts.people import Role
from monitor.web.settings import WebConfig
from tests.monitor.web.certificates import certificate

BED = "beds: [{id: one, devices: [{id: oximeter, driver: nonin, url: 'tcp://127.0.0.1:9'}]}]\n"
OIDC = "issuer: 'https://login.example/realm', client_id: station, client_secret_env: OIDC_SECRET"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDC_SECRET", "s3cret")


def load(folder: Path, web: str, *, here: bool = True) -> WebConfig:
    path = folder / "site.yaml"
    path.write_text(f"{BED}web:\n  {web}\n", encoding="utf-8")
    return config_file.load(path, here=here).web


def faults(folder: Path, web: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, web)
    return [fault.removeprefix(f"{folder / 'site.yaml'}:") for fault in caught.value.faults]


def test_without_anything_it_is_for_this_machine_alone() -> None:
    web = WebConfig()
    assert (web.host, web.port, web.wide, web.secure, web.needs_door) == ("127.0.0.1", 8080, False, False, False)
    assert web.answered == {"127.0.0.1", "localhost", "::1"}


def test_every_line_of_the_shipped_one_can_be_turned_on(tmp_path: Path) -> None:
    text = config_file.default_path().read_text(encoding="utf-8")
    section = text[text.index("web:") : text.index("beds:")]
    turned_on = re.sub(r"^  # ", "  ", section, flags=re.MULTILINE).replace("host: 127.0.0.1", "host: 0.0.0.0")
    (tmp_path / "site.yaml").write_text(BED + turned_on, encoding="utf-8")
    web = config_file.load(tmp_path / "site.yaml", here=False).web
    assert set(WebConfig.model_fields) == web.model_fields_set
    assert web.oidc is not None
    assert set(type(web.oidc).model_fields) - web.oidc.model_fields_set == {"client_secret_file", "ca_file"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2", "LOCALHOST"])
def test_loopback_is_not_wide(tmp_path: Path, host: str) -> None:
    assert not load(tmp_path, f"host: '{host}'").wide


def test_all_of_it(tmp_path: Path) -> None:
    tls = certificate(tmp_path / "tls")
    web = load(
        tmp_path,
        f"host: 0.0.0.0\n  port: 443\n  names: [Station.example, 10.0.0.1, 'fd00::1']\n"
        f"  tls: {{cert_file: {tls.cert_file}, key_file: {tls.key_file}}}\n"
        f"  trusted_proxies: [10.0.0.0/24, 'fd00::2']\n  login_hours: 8\n"
        f"  oidc: {{{OIDC}, title: The house, claim: upn, roles_claim: groups, roles: {{nurses: nurse, it: admin}}}}",
    )
    assert (web.wide, web.secure, web.needs_door) == (True, True, True)
    assert web.answered == {"station.example", "10.0.0.1", "fd00::1", "127.0.0.1", "localhost", "::1"}
    assert web.oidc is not None
    assert web.oidc.client_secret() == "s3cret"
    assert web.oidc.roles == {"nurses": Role.NURSE, "it": Role.ADMIN}


@pytest.mark.parametrize(
    ("web", "fault"),
    [
        ("host: 10.0.0.1", "3: web.host: 10.0.0.1 is to be reached from other machines: passwords and vitals would go"),
        ("host: station.example", "3: web.host: station.example is to be reached from other machines"),
        ("host: '::'\n  trusted_proxies: [10.0.0.1]", "2: web.names: is missing: :: is every address of this machine"),
        ("host: ''", "3: web.host: "),
        ("host: 'http://station.example'", "3: web.host: "),
        ("host: 127.0.0.1:8080", "3: web.host: "),
        ("names: []", "3: web.names: at least one is needed"),
        ("names: ['*.example']", "3: web.names[0]: "),
        ("names: ['station.example:443']", "3: web.names[0]: "),
        (
            "trusted_proxies: [proxy.example]",
            "3: web.trusted_proxies[0]: 'proxy.example' is no address, and no network",
        ),
        ("trusted_proxies: ['*']", "3: web.trusted_proxies[0]: '*' is no address"),
        ("trusted_proxies: [10.0.0.1/24]", "3: web.trusted_proxies[0]: '10.0.0.1/24' is no address, and no network"),
        ("trusted_proxies: [0.0.0.0/0]", "3: web.trusted_proxies[0]: 0.0.0.0/0 is everybody"),
        ("login_hours: 0.5", "3: web.login_hours: "),
        ("login_hours: 169", "3: web.login_hours: "),
        ("tls: {cert_file: a.pem}", "3: web.tls.key_file: is missing"),
        ("tls: {cert_file: /no/a.pem, key_file: /no/k.pem}", "3: web.tls.cert_file: /no/a.pem: No such file"),
        ("oidc: {issuer: 'https://x', client_id: y}", "3: web.oidc.client_secret_env: give the secret by"),
        (f"oidc: {{{OIDC}, client_secret_file: s}}", "3: web.oidc.client_secret_file: give the secret by"),
        (f"oidc: {{{OIDC}, ca_file: /no/ca.pem}}", "3: web.oidc.ca_file: /no/ca.pem: No such file"),
        (
            f"oidc: {{{OIDC.replace('https', 'http')}}}",
            "3: web.oidc.issuer: http://login.example/realm: who somebody is",
        ),
        (
            f"oidc: {{{OIDC.replace('OIDC_SECRET', 'NO_SUCH')}}}",
            "3: web.oidc.client_secret_env: the environment has no",
        ),
        (f"oidc: {{{OIDC}, roles: {{it: admin}}}}", "3: web.oidc.roles: says what groups may do"),
        (f"oidc: {{{OIDC}, roles_claim: groups}}", "3: web.oidc.roles_claim: with it `roles` is needed"),
        (f"oidc: {{{OIDC}, roles_claim: groups, roles: {{it: owner}}}}", "3: web.oidc.roles.it: "),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, web: str, fault: str) -> None:
    found = faults(tmp_path, web)
    assert [one for one in found if one.startswith(fault)], found


def test_a_key_that_is_not_the_certificates_is_named(tmp_path: Path) -> None:
    one, other = certificate(tmp_path / "one"), certificate(tmp_path / "other")
    [fault] = faults(tmp_path, f"tls: {{cert_file: {one.cert_file}, key_file: {other.key_file}}}")
    assert fault == f"3: web.tls: the key in {other.key_file} is not that of the certificate in {one.cert_file}"


def test_what_is_not_here_is_not_asked_for_where_nothing_is_served(tmp_path: Path) -> None:
    web = f"tls: {{cert_file: /no/a.pem, key_file: /no/k.pem}}\n  oidc: {{{OIDC.replace('OIDC_SECRET', 'NO_SUCH')}}}"
    assert load(tmp_path, web, here=False).secure


def test_without_the_extra_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    [fault] = faults(tmp_path, f"oidc: {{{OIDC}}}")
    assert "pip install infusion-monitor[oidc]" in fault
