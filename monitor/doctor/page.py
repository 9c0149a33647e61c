"""Whether browsers will take the page's certificate, and who can log in."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.errors import AccountsUnusable, ConfigError
from monitor.accounts.store import AccountStore
from monitor.doctor.findings import Finding, Subject, fault, note, ok
from monitor.web import certificate as certificates


def certificate(subject: Subject) -> Iterator[Finding]:
    """The certificate that the page is served with."""
    web = None if subject.config is None else subject.config.web
    if web is None or web.tls is None:
        return
    try:
        doubts = certificates.doubts(web.tls, web.names or (web.host,))
    except ConfigError as error:
        yield fault("certificate", str(error), "put the certificate and its key there, and start the station again")
        return
    for doubt in doubts:
        yield fault("certificate", doubt, "renew it, and start the station again")
    if not doubts:
        yield ok("certificate", f"browsers can take {web.tls.cert_file}")


def accounts(subject: Subject) -> Iterator[Finding]:
    """The accounts of people."""
    if subject.config is None or subject.data_dir is None:
        return
    web = subject.config.web
    try:
        users = [user for user in AccountStore(subject.data_dir).read().users if not user.disabled]
    except AccountsUnusable as error:
        yield fault("accounts", str(error), "put the file back from a copy: no station starts with this one")
        return
    if users:
        yield ok("accounts", f"{len(users)} can log in")
    elif web.wide and web.oidc is None:
        advice = "infusion-monitor user add LOGIN --name NAME --role admin"
        yield fault("accounts", "others are to reach the page, and nobody can log in: no station starts so", advice)
    elif not web.wide:
        advice = "where others use this machine too, give accounts: infusion-monitor user add"
        yield note("accounts", "there are none: whoever uses this machine may do everything on the page", advice)
