"""The station's certificate: whether it can be served with, and whether browsers will take it."""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Iterable
from typing import Any

from drivers.errors import ConfigError
from monitor.web.settings import TlsConfig

SOON = 30
"""Days before the end of a certificate from which on it is said."""
_DAY = 86_400


def context(tls: TlsConfig) -> ssl.SSLContext:
    """What TLS is served with: version 1.2 or later. Raises `ConfigError`; it asks the disk."""
    if problem := unusable(tls):
        raise ConfigError([f"web.tls: {problem}"])
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_cert_chain(tls.cert_file, tls.key_file)
    return made


def unusable(tls: TlsConfig) -> str | None:
    """Why the files cannot be served with; None where they can. It asks the disk."""
    probe = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password for it, OpenSSL would ask for one at the terminal.
        probe.load_cert_chain(tls.cert_file, tls.key_file, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"the key in {tls.key_file} is not that of the certificate in {tls.cert_file}"
        return f"{tls.cert_file} and {tls.key_file} are not a certificate and its key (PEM, without a password)"
    except OSError as error:
        return f"{tls.cert_file}, {tls.key_file}: {error.strerror}"
    return None


def doubts(tls: TlsConfig, names: Iterable[str], now: float | None = None) -> list[str]:
    """Why browsers would not take it, or soon will not: its time, and the names that it is for. It asks the disk.

    `now` is in UTC seconds. Raises `ConfigError` where the files cannot be served with.
    """
    try:
        certificate = _shaken(context(tls), tls.cert_file)
    except ssl.SSLCertVerificationError as error:
        return [f"{tls.cert_file}: browsers will not take it: {error.verify_message}"]
    found = []
    left = (ssl.cert_time_to_seconds(certificate["notAfter"]) - (time.time() if now is None else now)) / _DAY
    if left < SOON:
        found.append(f"{tls.cert_file}: the certificate ends in {left:.0f} days, on {certificate['notAfter']}")
    known = [(kind, value.lower()) for kind, value in certificate.get("subjectAltName", ())]
    found += [
        f"{tls.cert_file}: the certificate is not for {name}, as browsers are to call the station"
        for name in names
        if not _is_for(name.lower(), known)
    ]
    return found


def _is_for(name: str, known: list[tuple[str, str]]) -> bool:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        wild = "*." + name.partition(".")[2]
        return ("DNS", name) in known or ("DNS", wild) in known
    return any(kind == "IP Address" and ipaddress.ip_address(value) == address for kind, value in known)


def _shaken(server_side: ssl.SSLContext, cert_file: str) -> dict[str, Any]:
    """What the certificate says, as a client hears it. Raises ssl.SSLCertVerificationError, as out of its time."""
    client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_side.check_hostname = False
    # It is trusted as it is: who has signed it is for the browsers to judge.
    client_side.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client_side.load_verify_locations(cert_file)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    client = client_side.wrap_bio(to_client, to_server)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                # Its other side has to say something first.
                continue
    return dict(client.getpeercert() or {})
