"""What a site's configuration says of who else is told of alerts. Secrets come from the environment or a file."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drivers.errors import ConfigError
from monitor.alerts.conditions import Priority
from monitor.config_base import Name, Section, secret

Least = Literal[Priority.LOW, Priority.MEDIUM, Priority.HIGH]
"""What is less urgent is not told there."""

SHORTEST_KEY = 24
"""Bytes: what the Standard Webhooks specification asks of a signing key at least."""
_MARK = "whsec_"


class WebhookConfig(Section):
    """A server that gets each event as a signed post."""

    FILES: ClassVar = ("secret_file", "ca_file")
    """Those of the keys below that name a file."""

    name: Name
    url: Annotated[str, Field(min_length=1)]
    """`https://`; the signature shows who sent an event, and hides nothing of it."""
    secret_env: str | None = None
    secret_file: str | None = None
    """`whsec_` and base64, or plain text."""
    ca_file: str | None = None
    """Trusted authority of the server's certificate; the system's ones without it."""
    least: Annotated[Least, Field(alias="from")] = Priority.LOW
    insecure: bool = False
    """Whether events may go over a network in clear."""

    def key(self) -> bytes:
        """The key to sign with. Raises `ConfigError`, which does not show it, where it is not to be had."""
        where = f"notify.webhooks.{self.name}.secret"
        text = _needed(where, self.secret_env, self.secret_file)
        if text.startswith(_MARK):
            try:
                key = base64.b64decode(text.removeprefix(_MARK), validate=True)
            except binascii.Error as error:
                raise ConfigError([f"{where}: what follows {_MARK} is not base64"]) from error
        else:
            key = text.encode()
        if len(key) < SHORTEST_KEY:
            raise ConfigError([f"{where}: a key of {len(key)} bytes; at least {SHORTEST_KEY} are needed"])
        return key


class PagerConfig(Section):
    """Pagers, telephones or desktops, as addresses of the library `apprise`, which are secrets as a whole."""

    FILES: ClassVar = ("urls_file",)
    """Those of the keys below that name a file."""

    name: Name
    urls_env: str | None = None
    urls_file: str | None = None
    """One or several, with blanks or line breaks between them; a line that begins with # is left out."""
    least: Annotated[Least, Field(alias="from")] = Priority.MEDIUM

    def urls(self) -> tuple[str, ...]:
        """The addresses. Raises `ConfigError`, which does not show them, where there are none."""
        where = f"notify.pagers.{self.name}.urls"
        text = _needed(where, self.urls_env, self.urls_file)
        urls = tuple(url for line in text.splitlines() if not line.lstrip().startswith("#") for url in line.split())
        if not urls:
            raise ConfigError([f"{where}: there is no address"])
        return urls


class NotifyConfig(Section):
    """Who else is told; the clinic's broker has its own section, `mqtt`."""

    webhooks: tuple[WebhookConfig, ...] = ()
    pagers: tuple[PagerConfig, ...] = ()


def _needed(where: str, variable: str | None, file: str | None) -> str:
    """The secret that one of the two holds. Raises `ConfigError`, which does not show it, where it is not to be had."""
    text = secret(where, variable, file)
    if text is None:
        raise ConfigError([f"{where}: neither an environment variable nor a file is named"])
    return text
