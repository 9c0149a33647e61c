"""What is wrong with the `notify` section of a configuration each of whose keys is well formed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from drivers.errors import ConfigError
from monitor.config_checks import sends_in_clear
from monitor.config_faults import Fault, Path_, twice
from monitor.notify.alert_topics import NAME
from monitor.notify.pager import refused_scheme
from monitor.notify.settings import NotifyConfig, WebhookConfig


class Notifying(Protocol):
    """A configuration with that section."""

    @property
    def notify(self) -> NotifyConfig:
        """The section."""


def check_notify(config: Notifying) -> Iterator[Fault]:
    """Names used twice, addresses that are none or in clear, secrets that nothing names."""
    webhooks = [(("notify", "webhooks", index), one) for index, one in enumerate(config.notify.webhooks)]
    pagers = [(("notify", "pagers", index), one) for index, one in enumerate(config.notify.pagers)]
    # The alert that one of them has failed is named after it.
    named: list[tuple[Path_, str]] = [((*where, "name"), webhook.name) for where, webhook in webhooks]
    named += [((*where, "name"), pager.name) for where, pager in pagers]
    yield from twice(named, "notifier")
    for where, name in named:
        if name == NAME:
            yield where, f"{name} is what tells the clinic's broker: give this one another name"
    for where, webhook in webhooks:
        yield from _check_webhook(webhook, where)
    for where, pager in pagers:
        yield from _one_of_two(pager.urls_env, pager.urls_file, where, "urls")
    if pagers and importlib.util.find_spec("apprise") is None:
        yield ("notify", "pagers"), "needs the extra `pager`: pip install 'infusion-monitor[pager]'"


def check_notify_secrets(config: Notifying) -> Iterator[Fault]:
    """Secrets that are not on this machine, or cannot be what they should be; to be asked after `check_notify`."""
    for index, webhook in enumerate(config.notify.webhooks):
        where: Path_ = ("notify", "webhooks", index)
        here = (*where, "secret_file" if webhook.secret_env is None else "secret_env")
        try:
            webhook.key()
        except ConfigError as error:
            yield here, _text(error)
        if webhook.ca_file is not None:
            try:
                Path(webhook.ca_file).open("rb").close()
            except OSError as error:
                yield (*where, "ca_file"), f"{webhook.ca_file}: {error.strerror}"
    for index, pager in enumerate(config.notify.pagers):
        here = ("notify", "pagers", index, "urls_file" if pager.urls_env is None else "urls_env")
        try:
            urls = pager.urls()
        except ConfigError as error:
            yield here, _text(error)
            continue
        for number, url in enumerate(urls, 1):
            if problem := refused_scheme(url):
                yield here, f"address {number}: {problem}"


def _text(error: ConfigError) -> str:
    """What is wrong, without where: a fault has that by itself."""
    return error.faults[0].partition(": ")[2]


def _check_webhook(webhook: WebhookConfig, where: Path_) -> Iterator[Fault]:
    yield from _one_of_two(webhook.secret_env, webhook.secret_file, where, "secret")
    if problem := _url_problem(webhook.url):
        yield (*where, "url"), problem
    elif not webhook.insecure and sends_in_clear(webhook.url):
        yield (
            (*where, "url"),
            "http:// would send alerts in clear over the network: use https://, or say `insecure: true`",
        )


def _url_problem(url: str) -> str | None:
    """What is wrong with the address; it is not shown, as its path or query may be a secret."""
    expected = "expected http(s)://HOST[:PORT]/PATH"
    if not url.isprintable() or " " in url:
        return f"has a blank or a character that no address has; {expected}"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return expected
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return expected
    if "@" in parts.netloc:
        return "has an @: the receiver knows the sender by the signature, and needs no user or password"
    return None


def _one_of_two(variable: str | None, file: str | None, where: Path_, what: str) -> Iterator[Fault]:
    if (variable is None) == (file is None):
        key: Path_ = where if file is None else (*where, f"{what}_file")
        yield key, f"give {what}_env or {what}_file, one of the two"
