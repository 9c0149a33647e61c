"""The `web` section of a configuration: where the page is, who reaches it, and how it is kept from others."""

from __future__ import annotations

import ipaddress
from typing import Annotated, ClassVar

from pydantic import Field

from monitor.accounts.people import Role
from monitor.config_base import Section, secret

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
"""Under these a browser on this machine finds it; no other machine can have them point here."""

IN_CLEAR = (
    "passwords and vitals would go over the network in clear; give web.tls (cert_file, key_file), or "
    "web.trusted_proxies where a proxy speaks TLS for the station"
)
"""What is said of a page that other machines reach without TLS."""

HostName = Annotated[str, Field(pattern=r"^([0-9A-Za-z]([0-9A-Za-z.-]{0,251}[0-9A-Za-z])?|[0-9A-Fa-f:.]{2,45})$")]
"""A name or an address, without a port; an IPv6 address without brackets."""


class TlsConfig(Section):
    """The certificate by which browsers know the station."""

    FILES: ClassVar = ("cert_file", "key_file")
    """Those of the keys below that name a file."""

    cert_file: str
    """With those of its issuers below it, but for the root."""
    key_file: str


class OidcConfig(Section):
    """The OpenID Connect provider that proves who people are; its secret comes from the environment or a file."""

    FILES: ClassVar = ("client_secret_file", "ca_file")
    """Those of the keys below that name a file."""

    issuer: Annotated[str, Field(pattern=r"^https?://[^\s?#@]+$")]
    """Exactly as the provider names itself; below it is `/.well-known/openid-configuration`."""
    client_id: Annotated[str, Field(min_length=1)]
    client_secret_env: str | None = None
    client_secret_file: str | None = None
    ca_file: str | None = None
    """The provider's own certificate authority, in place of the public ones."""
    title: Annotated[str, Field(min_length=1, max_length=40)] = "Hospital login"
    claim: Annotated[str, Field(min_length=1)] = "preferred_username"
    """Of the ID token: what is somebody's login here."""
    roles_claim: Annotated[str, Field(min_length=1)] | None = None
    """Of the ID token: what `roles` is looked up by, a word or a list of words."""
    roles: dict[str, Role] = Field(default_factory=dict)
    """With these, people need no account beforehand: the provider's groups say who is what."""

    def client_secret(self) -> str:
        """The secret. Raises `ConfigError` where it is not to be had."""
        return secret("web.oidc.client_secret", self.client_secret_env, self.client_secret_file) or ""


class WebConfig(Section):
    """Where the page is; without any of this, for people who try it out on this machine."""

    host: HostName = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    names: Annotated[tuple[HostName, ...], Field(min_length=1)] | None = None
    """Under which browsers find the page, where that is not `host`."""
    tls: TlsConfig | None = None
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks of proxies that speak TLS with browsers, and say for whom they ask."""
    login_hours: Annotated[float, Field(ge=1, le=168)] = 12.0
    """How long a login lasts."""
    oidc: OidcConfig | None = None

    @property
    def wide(self) -> bool:
        """Whether other machines can reach the page."""
        return not is_loopback(self.host) or bool(self.trusted_proxies)

    @property
    def secure(self) -> bool:
        """Whether browsers are spoken to over TLS, here or at a proxy."""
        return self.tls is not None or bool(self.trusted_proxies)

    @property
    def needs_door(self) -> bool:
        """Whether commands on this machine are answered at an address of their own."""
        return self.wide or self.tls is not None

    @property
    def answered(self) -> frozenset[str]:
        """The names that are answered, in lower case; another one may be of a site that has it point here."""
        return frozenset(name.lower() for name in (*(self.names or (self.host,)), *LOOPBACK_NAMES))


def is_loopback(host: str) -> bool:
    """Whether that host is this machine for itself alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
