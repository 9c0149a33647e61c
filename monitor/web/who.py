"""Who asks, and whether that person or machine may do what is asked.

Each route of the API says by one of the types at the end whom it is for. That alone guards it: who is known by a cookie
must also prove that it is the station's own page that asks, since a browser sends cookies for other sites too.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated, NamedTuple

from fastapi import Depends
from starlette.requests import HTTPConnection, Request

from monitor.accounts.people import COMMAND, Person, Role, Via
from monitor.web.errors import Refusal
from monitor.web.parts import Parts
from monitor.web.settings import is_loopback

PROXY_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
"""By these is known that a request came through a proxy."""
CSRF_HEADER = "x-csrf-token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_ANYBODY = Person("", "", Role.REVIEWER, Via.OPEN)


class Known(NamedTuple):
    """Somebody who is known."""

    person: Person
    csrf: str | None = None
    """What their page says with each change; None for those who use no browser."""
    expires_at: int | None = None
    """When their login ends, in UTC nanoseconds."""


def known(request: HTTPConnection) -> Known | None:
    """Who asks; None where that is not known."""
    parts: Parts = request.app.state.parts
    said = request.headers.get("authorization")
    if said is not None:
        # Whoever gives a token is known by it or not at all.
        return _by_token(request, parts, said)
    secret = cookie(request)
    login = parts.accounts.person_of_cookie(secret) if parts.accounts is not None and secret else None
    if login is not None:
        return Known(login.person, login.csrf, login.expires_at)
    return Known(_ANYBODY, parts.csrf) if parts.open else None


def identify(request: HTTPConnection) -> Person | None:
    """Who asks; None where that is not known."""
    found = known(request)
    return None if found is None else found.person


def still_may_look(request: HTTPConnection) -> bool:
    """Whether who opened a stream is still known."""
    return known(request) is not None


def address(request: HTTPConnection) -> str:
    """Of the machine that asks."""
    return request.client.host if request.client else "?"


def origin(request: HTTPConnection, person: Person) -> str:
    """From where it is asked, for the audit."""
    return f"{address(request)} ({person.via.value})"


def cookie(request: HTTPConnection) -> str:
    """The secret in the cookie of a login; empty where there is none."""
    return request.cookies.get(cookie_name(request.app.state.parts), "")


def cookie_name(parts: Parts) -> str:
    """A browser takes the first form from nobody but this very name, over TLS."""
    return "__Host-infusion-monitor" if parts.web.secure else "infusion-monitor"


def proxied(request: HTTPConnection) -> bool:
    """Whether a proxy says that it sent this."""
    return any(header in request.headers for header in PROXY_HEADERS)


def is_command(request: HTTPConnection) -> bool:
    """Whether it is a command of the station's own user, on this machine."""
    parts: Parts = request.app.state.parts
    said = request.headers.get("authorization", "")
    return (
        parts.token != ""
        and hmac.compare_digest(said.encode(), f"Bearer {parts.token}".encode())
        and (at_door(request) or not parts.web.needs_door)
        and is_loopback(address(request))
        and not proxied(request)
    )


def at_door(request: HTTPConnection) -> bool:
    """Whether it is asked where only commands are answered (`guards.Door`)."""
    return getattr(request.state, "at_door", False) is True


async def own_page(request: Request) -> None:
    """Raise Refusal where another site's page asks, or a form: for what needs no login."""
    _check_site(request)
    _check_form(request)


def unauthorized(request: Request) -> Refusal:
    """For nobody who is known: how to log in."""
    parts: Parts = request.app.state.parts
    oidc = parts.web.oidc
    return Refusal(
        401,
        "unauthorized",
        "log in first",
        headers={"WWW-Authenticate": "Bearer"},
        accounts=True,
        oidc=None if oidc is None else oidc.title,
        site=parts.site,
    )


def _by_token(request: HTTPConnection, parts: Parts, said: str) -> Known | None:
    if is_command(request):
        return Known(COMMAND)
    scheme, _, bearer = said.partition(" ")
    if parts.accounts is None or scheme.lower() != "bearer":
        return None
    machine = parts.accounts.person_of_token(bearer)
    return None if machine is None else Known(machine)


def _needs(role: Role) -> Callable[[Request], Awaitable[Person]]:
    async def person(request: Request) -> Person:
        by_browser = "authorization" not in request.headers
        if by_browser:
            _check_site(request)
        found = known(request)
        if found is None:
            raise unauthorized(request)
        if by_browser:
            _check_csrf(request, found)
        if not found.person.role.includes(role):
            raise Refusal(403, "forbidden", f"this needs the role {role.value}")
        _check_form(request)
        return found.person

    return person


def _check_site(request: Request) -> None:
    """Browsers say which site's page asks; others need not."""
    sites = request.headers.getlist("sec-fetch-site")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}".lower()
    foreign = any(site not in {"same-origin", "none"} for site in sites)
    if request.method not in _SAFE:
        foreign = foreign or any(one.lower() != own for one in request.headers.getlist("origin"))
    if foreign:
        raise Refusal(403, "forbidden", "only the station's own page may ask for that")


def _check_csrf(request: Request, found: Known) -> None:
    if request.method in _SAFE or found.csrf is None:
        return
    said = request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(said.encode(), found.csrf.encode()):
        raise Refusal(403, "forbidden", f"{CSRF_HEADER} is not what /api/me gives: load the page again")


def _check_form(request: Request) -> None:
    """A form of another site cannot send this type."""
    has_body = "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method not in _SAFE and has_body and kind != "application/json":
        raise Refusal(415, "media_type", "Content-Type: application/json is expected")


OwnPage = Depends(own_page)
Viewer = Annotated[Person, Depends(_needs(Role.VIEWER))]
Nurse = Annotated[Person, Depends(_needs(Role.NURSE))]
Reviewer = Annotated[Person, Depends(_needs(Role.REVIEWER))]
Admin = Annotated[Person, Depends(_needs(Role.ADMIN))]
