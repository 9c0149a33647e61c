"""One post to InfluxDB through `influxdb-client`, and what its answer means.

What the client does by itself and should not:

- It follows redirects, and a redirected post becomes a request that writes nothing and is answered 200. Here a
  redirect is refused, and nothing counts as written but a 204.
- It packs with gzip's slowest level, ten times slower for a tenth fewer bytes. Here the body is packed already.
- It reads error bodies of any size. Here an answer is cut off.
- Its errors show the headers of the answer, and its log shows answers that are not JSON: should the other side send
  the token back, it is taken out before the client sees it.

It does not look for proxies in the environment, and the client's own retries are not used: the forwarder has them.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import zlib
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService

from drivers.clock import NS
from drivers.errors import ConfigError, InfusionMonitorError, SinkBusy, SinkRefused
from monitor.config import InfluxdbConfig

_LEVEL = 1
_MOST = 16_000_000
"""Bytes that are read of an answer: it repeats every line that is malformed."""
_SHOWN = 500
"""Characters of an answer that are shown or kept."""
_TEMPORARY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_SET_UP = "make one with `infusion-monitor influxdb setup`"


class Connection:
    """A client of the server and bucket of that configuration; made inside a running loop.

    Raises SinkRefused when the token or the authority's file cannot be used.
    """

    def __init__(self, config: InfluxdbConfig, patience: float) -> None:
        self._config = config
        self._patience = patience
        self._where = f"InfluxDB at {config.url}"
        try:
            token = config.token()
        except ConfigError as error:
            raise SinkRefused(f"{self._where}: {error}") from error
        # An environment variable often ends in a line break. Whatever else is wrong, the token must not be shown.
        token = token.strip()
        if not (token and token.isascii() and token.isprintable()):
            raise SinkRefused(f"{self._where}: the token is empty or has a character that no token has")
        try:
            self._client = InfluxDBClientAsync(
                url=config.url,
                token=token,
                org=config.org,
                timeout=aiohttp.ClientTimeout(total=patience),
                ssl_ca_cert=config.ca_file,
                connection_pool_maxsize=1,
                allow_redirects=False,
                client_session_kwargs={"response_class": _Answer},
            )
        except OSError as error:  # ssl.SSLError is one
            raise SinkRefused(f"{self._where}: the file {config.ca_file} cannot be used: {error}") from error
        self._write = WriteService(self._client.api_client)  # type: ignore[no-untyped-call]  # generated, without types

    async def close(self) -> None:
        """Close the connection at once."""
        await self._client.close()  # type: ignore[no-untyped-call]  # generated, without types

    async def post(self, lines: bytes, now_ns: int) -> str | None:
        """Post lines: None when all are written, otherwise the server's fault with them.

        Raises SinkBusy and SinkRefused for what is not about the lines. `now_ns` is for a Retry-After that is a date.
        """
        try:
            _, status, _ = await self._write.post_write_async(  # type: ignore[no-untyped-call]  # generated, without types
                self._config.org,
                self._config.bucket,
                _packed(lines),
                precision="ns",
                content_encoding="gzip",
                content_type="text/plain; charset=utf-8",
                _return_http_data_only=False,
            )
        except ApiException as error:
            fault = _fault_with_lines(error)
            if fault is None:
                raise self._of_answer(error, now_ns) from error
            return fault
        except aiohttp.ClientConnectorCertificateError as error:
            raise SinkRefused(
                f"{self._where}: its certificate is not trusted: is its authority in influxdb.ca_file? {_words(error)}"
            ) from error
        except aiohttp.InvalidURL as error:
            raise SinkRefused(f"{self._where}: influxdb.url is not an address") from error
        except TimeoutError as error:
            raise SinkBusy(f"{self._where}: no answer for {self._patience:g} s") from error
        except aiohttp.ClientConnectorError as error:
            raise SinkBusy(f"{self._where} cannot be reached: {_reason(error.os_error)}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise SinkBusy(f"{self._where}: the connection broke off") from error
        if status != HTTPStatus.NO_CONTENT:
            raise SinkRefused(self._no_influxdb(status))
        return None

    def _of_answer(self, error: ApiException, now_ns: int) -> InfusionMonitorError:
        """What an answer means that is not about the lines."""
        status = error.status
        said = _message(error.body)
        if status >= 500 or status in _TEMPORARY:
            text = f"{self._where} answers {status}: {said or _words(error.reason)}"
            return SinkBusy(text, retry_after(error.headers.get("Retry-After"), now_ns))
        if 300 <= status < 400:
            to = _words(error.headers.get("Location", ""))
            return SinkRefused(f"{self._where} redirects to {to} ({status}): write the right address into influxdb.url")
        meaning = {
            401: f"it does not know the token (401): {_SET_UP}, or mend influxdb.token_env or influxdb.token_file",
            403: f'the token may not write to the bucket "{self._config.bucket}" (403): {_SET_UP}',
            404: f'it has no bucket "{self._config.bucket}" of "{self._config.org}" for this token (404): '
            f"{_SET_UP}, or mend influxdb.bucket and influxdb.org",
        }.get(status)
        if said is None or meaning is None:
            return SinkRefused(self._no_influxdb(status, said or ""))
        return SinkRefused(f"{self._where}: {meaning}; it says: {said}")

    def _no_influxdb(self, status: int, said: str = "") -> str:
        says = f"; it says: {said}" if said else ""
        return f"{self._where} answers {status}: is influxdb.url the address of an InfluxDB 2?{says}"


class _Answer(aiohttp.ClientResponse):
    """An answer of which no more is read than is needed, and without the token."""

    async def read(self) -> bytes:
        """The body, up to `_MOST` bytes."""
        body = bytearray()
        try:
            async for data in self.content.iter_any():
                body += data
                if len(body) >= _MOST:
                    self.close()
                    break
        except BaseException:
            self.close()
            raise
        token = self.request_info.headers["Authorization"].removeprefix("Token ").encode()
        return bytes(body[:_MOST]).replace(token, b"***")


def retry_after(header: str | None, now_ns: int) -> float | None:
    """Seconds that a Retry-After asks for, as a number or a date; None where it is neither."""
    if header is None:
        return None
    if re.fullmatch(r"\s*\d{1,9}(\.\d{1,9})?\s*", header, re.ASCII):
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - now_ns / NS)
    except (ValueError, OverflowError):
        return None


def _packed(lines: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, wbits=31)
    return packer.compress(lines) + packer.flush()


def _fault_with_lines(error: ApiException) -> str | None:
    """What InfluxDB finds wrong with the lines; None when the answer is not about them, or is not InfluxDB's.

    A proxy that answers 400 to everything must not make dead letters of the whole journal.
    """
    if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return "it is too large for the server (413)"
    if error.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
        return _message(error.body)
    return None


def _message(body: bytes | None) -> str | None:
    """The message of InfluxDB's JSON; None where the body is something else."""
    try:
        found = json.loads(body or b"")
    except ValueError:
        return None
    message = found.get("message") if isinstance(found, dict) and isinstance(found.get("code"), str) else None
    return _words(message) if isinstance(message, str) else None


def _reason(error: OSError) -> str:
    """In the operating system's words, where the number is one of its own: a name that is not found has another."""
    if isinstance(error, ssl.SSLError) or (error.errno or 0) <= 0:
        return _words(error)
    return os.strerror(error.errno or 0)


def _words(what: object) -> str:
    """In one line, and not too long."""
    text = " ".join(str(what).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."
