"""InfluxDB for commands: the synchronous client, and its errors in the project's words.

The station forwards with the asynchronous client. A command asks one thing at a time and prints the answer, so that
the pace of whoever reads it reaches the server through the connection; the management of buckets and tokens is in the
synchronous client only.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException

from drivers.errors import ConfigError, InfusionMonitorError, SinkBusy, SinkRefused

PATIENCE = 60.0
"""Seconds without a byte of an answer after which there is none."""

_TEXTS: Mapping[int, str] = {
    401: "it does not know the token (401): make one with `infusion-monitor influxdb setup`",
    403: "the token may not do this (403): make one for this bucket with `infusion-monitor influxdb setup`",
}


@contextlib.contextmanager
def client(
    url: str, org: str, token: str, ca_file: str | None = None, *, patience: float = PATIENCE
) -> Iterator[InfluxDBClient]:
    """A client for one command. Nothing is sent before its first question. Raises `ConfigError` for a broken token."""
    # Python's own refusal of such a header would show it.
    if not (token.isascii() and token.isprintable()):
        raise ConfigError(["the InfluxDB token has a character that no token has"])
    with InfluxDBClient(
        url=url, token=token, org=org, timeout=round(patience * 1000), ssl_ca_cert=ca_file, enable_gzip=True
    ) as opened:
        yield opened


@contextlib.contextmanager
def errors(url: str, texts: Mapping[int, str] | None = None, *, patience: float = PATIENCE) -> Iterator[None]:
    """Turn what the client raises into `SinkBusy` or `SinkRefused`; `texts` say what a status means here.

    `patience` is the client's.
    """
    try:
        yield
    except ApiException as error:
        raise _of_status(url, error, {**_TEXTS, **(texts or {})}) from error
    except urllib3.exceptions.HTTPError as error:
        raise SinkBusy(f"InfluxDB at {url}: {_reason(error, patience)}") from error


def _of_status(url: str, error: ApiException, texts: Mapping[int, str]) -> InfusionMonitorError:
    status = error.status or 0
    where = f"InfluxDB at {url}"
    if not status:
        # The client gives only TLS errors this way.
        return SinkRefused(f"{where}: {_in_one_line(error.reason)}: is its authority in `ca_file`?")
    said = _said(error)
    if status == 429 or status >= 500:
        return SinkBusy(f"{where} answers {status}: {said or error.reason}")
    if said is None:
        return SinkRefused(f"{where} answers {status} {error.reason}: is this the address of an InfluxDB 2?")
    return SinkRefused(f"{where}: {texts.get(status, f'it refuses that ({status})')}; it says: {said}")


def _said(error: ApiException) -> str | None:
    """What InfluxDB gives as its reason; None where it is no InfluxDB, as far as one can tell."""
    try:
        return _in_one_line(json.loads(error.body or b"")["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return None


def _reason(error: BaseException, patience: float) -> str:
    """The operating system's words at the root of it, where it has any."""
    if isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(
        error, urllib3.exceptions.NewConnectionError
    ):
        return f"no answer for {patience:g} s"
    root: BaseException | None = error
    while root is not None:
        if isinstance(root, OSError) and root.strerror:
            return root.strerror
        root = root.__cause__ or root.__context__
    return _in_one_line(error)


def _in_one_line(what: object) -> str:
    return " ".join(str(what).split())
