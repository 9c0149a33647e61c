"""Tells a server of the clinic's: each event is one post, signed after the Standard Webhooks specification 1.0.

Whoever has the key can tell that a post is the station's, that it is as it was sent, and when; a post that is tried
again has the same `webhook-id`. Redirects are not followed, and no proxies are looked for in the environment.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import ssl
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp

from drivers.clock import NS, Clock, iso
from monitor.alerts.actions import told
from monitor.alerts.conditions import AlertEvent
from monitor.notify.outbox import Item, Outbox, Outcome, Verdict
from monitor.notify.settings import WebhookConfig
from monitor.sinks.influxdb_post import retry_after

PATIENCE = 15.0
"""Seconds for an answer: the least that the specification recommends."""
KEPT = 4 * 3600.0
"""Seconds for which an event is tried."""

_TEMPORARY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


class Webhook(Outbox):
    """Posts to the server of that configuration. Raises `ConfigError` where its key is not to be had."""

    def __init__(self, config: WebhookConfig, site: str, clock: Clock) -> None:
        parts = urlsplit(config.url)
        # The rest of the address may be a secret.
        label = f"webhook {config.name} ({parts.scheme}://{parts.netloc})"
        super().__init__(config.name, label, clock, config.least, KEPT)
        self._config = config
        self._site = site
        self._key = config.key()
        self._session: aiohttp.ClientSession | None = None

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=1, ssl=ssl.create_default_context(cafile=self._config.ca_file)),
            timeout=aiohttp.ClientTimeout(total=PATIENCE),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "infusion-monitor"},
        ) as self._session:
            yield

    async def _send(self, items: Sequence[Item]) -> Outcome:
        (item,) = items
        assert self._session is not None  # noqa: S101 - for the type checker: it is open while anything is sent
        body = _body(self._site, item.event)
        headers = {"Content-Type": "application/json", **signed(self._key, item.id, self._clock.now_ns() // NS, body)}
        try:
            async with self._session.post(
                self._config.url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return self._meaning(response.status, response.headers.get("Retry-After"))
        except aiohttp.ClientConnectorCertificateError:
            return Outcome(Verdict.AGAIN, "the server's certificate is not trusted: is its authority in ca_file?")
        except TimeoutError:
            return Outcome(Verdict.AGAIN, f"no answer for {PATIENCE:g} s")
        except aiohttp.ClientConnectorError as error:
            number = error.os_error.errno or 0
            # A name that is not found has a number of its own, below zero.
            return Outcome(Verdict.AGAIN, os.strerror(number) if number > 0 else "the server cannot be reached")
        except (aiohttp.ClientError, OSError):
            return Outcome(Verdict.AGAIN, "the connection broke off")

    def _meaning(self, status: int, wait: str | None) -> Outcome:
        if 200 <= status < 300:
            return Outcome(Verdict.TAKEN)
        if status >= 500 or status in _TEMPORARY:
            return Outcome(Verdict.AGAIN, f"answers {status}", retry_after(wait, self._clock.now_ns()))
        if 300 <= status < 400:
            return Outcome(Verdict.REFUSED, f"answers {status}, a redirect: write the right address into url")
        return Outcome(Verdict.REFUSED, f"answers {status}")


def signed(key: bytes, identifier: str, seconds: int, body: bytes) -> dict[str, str]:
    """The headers by which the receiver knows the sender; `seconds` since 1970 are those of the attempt."""
    content = b"%s.%d.%s" % (identifier.encode(), seconds, body)
    signature = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return {"webhook-id": identifier, "webhook-timestamp": str(seconds), "webhook-signature": f"v1,{signature}"}


def _body(site: str, event: AlertEvent) -> bytes:
    data = {"site": site, **told(event)}
    message = {"type": f"alert.{event.state}", "timestamp": iso(event.at), "data": data}
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
