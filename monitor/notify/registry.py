"""Every way to tell of alerts that a configuration's section `notify` may ask for: a new one is a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from drivers.clock import Clock
from monitor.notify.notifier import Notifier
from monitor.notify.pager import Pager
from monitor.notify.settings import NotifyConfig
from monitor.notify.webhook import Webhook

_KINDS: tuple[Callable[[NotifyConfig, str, Clock], Iterator[Notifier]], ...] = (
    lambda config, site, clock: (Webhook(one, site, clock) for one in config.webhooks),
    lambda config, site, clock: (Pager(one, site, clock) for one in config.pagers),
)


def make_notifiers(config: NotifyConfig, site: str, clock: Clock) -> list[Notifier]:
    """All that the section asks for, in its order. Raises `ConfigError` where a secret is not to be had."""
    return [notifier for kind in _KINDS for notifier in kind(config, site, clock)]
