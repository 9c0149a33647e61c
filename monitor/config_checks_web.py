"""What is wrong with the `web` section of a configuration each of whose keys is well formed."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from monitor.config import StationConfig
from monitor.config_checks import unreadable
from monitor.config_faults import Fault
from monitor.web.settings import IN_CLEAR, OidcConfig, TlsConfig, WebConfig, is_loopback


def check_web(config: StationConfig) -> Iterator[Fault]:
    """A page that others would reach in clear, names and proxies that are none, what contradicts itself."""
    web = config.web
    if web.wide and not web.secure:
        yield ("web", "host"), f"{web.host} is to be reached from other machines: {IN_CLEAR}"
    if web.names is None and _is_every_address(web.host):
        text = f"is missing: {web.host} is every address of this machine; under which names do browsers find the page?"
        yield ("web", "names"), text
    yield from _check_proxies(web)
    if web.oidc is not None:
        yield from _check_oidc(web.oidc)


def check_web_here(config: StationConfig) -> Iterator[Fault]:
    """Certificates, secrets and libraries that the configuration needs and that are not on this machine."""
    if config.web.tls is not None:
        yield from _check_tls(config.web.tls)
    oidc = config.web.oidc
    if oidc is None:
        return
    if importlib.util.find_spec("authlib") is None or importlib.util.find_spec("requests") is None:
        yield ("web", "oidc"), "needs libraries that are not installed: pip install infusion-monitor[oidc]"
    if oidc.client_secret_env is not None and oidc.client_secret_env not in os.environ:
        yield ("web", "oidc", "client_secret_env"), f"the environment has no variable {oidc.client_secret_env}"
    for key in OidcConfig.FILES:
        name = getattr(oidc, key)
        if name is not None and (problem := unreadable(Path(name))):
            yield ("web", "oidc", key), f"{name}: {problem}"


def _check_proxies(web: WebConfig) -> Iterator[Fault]:
    for index, proxy in enumerate(web.trusted_proxies):
        where = ("web", "trusted_proxies", index)
        try:
            network = ipaddress.ip_network(proxy)
        except ValueError:
            yield where, f"{proxy!r} is no address, and no network such as 10.0.0.0/24"
            continue
        if network.prefixlen == 0:
            yield where, f"{proxy} is everybody: whoever asks could say who he is"


def _check_oidc(oidc: OidcConfig) -> Iterator[Fault]:
    where = ("web", "oidc")
    if (oidc.client_secret_env is None) == (oidc.client_secret_file is None):
        key = "client_secret_env" if oidc.client_secret_env is None else "client_secret_file"
        yield (*where, key), "give the secret by client_secret_env or by client_secret_file, one of the two"
    issuer = urlsplit(oidc.issuer)
    if issuer.scheme == "http" and not is_loopback(issuer.hostname or ""):
        yield (*where, "issuer"), f"{oidc.issuer}: who somebody is would go over the network in clear: use https://"
    if oidc.roles and oidc.roles_claim is None:
        yield (*where, "roles"), "says what groups may do, and roles_claim does not say where the ID token has them"
    if oidc.roles_claim is not None and not oidc.roles:
        yield (*where, "roles_claim"), "with it `roles` is needed: without it nobody would have a role"


def _check_tls(tls: TlsConfig) -> Iterator[Fault]:
    # Its ssl takes a part of the start of any command that reads a configuration.
    from monitor.web.certificate import unusable  # noqa: PLC0415 - said above

    missing = False
    for key in TlsConfig.FILES:
        name = getattr(tls, key)
        if problem := unreadable(Path(name)):
            missing = True
            yield ("web", "tls", key), f"{name}: {problem}"
    if not missing and (problem := unusable(tls)):
        yield ("web", "tls"), problem


def _is_every_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
