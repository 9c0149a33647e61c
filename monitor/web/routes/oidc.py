"""`/oidc/login` and `/oidc/callback`: logging in at the hospital's provider. `web.oidc` says how that is done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from drivers.errors import AccountRefused, LoginRefused
from monitor.accounts.accounts import Accounts, Login
from monitor.accounts.people import Role
from monitor.accounts.store import is_login
from monitor.web.oidc import LASTS, Begins, Begun, Provider, ProviderSilent
from monitor.web.parts import Parts
from monitor.web.routes.login import keep
from monitor.web.routes.pages import once_more
from monitor.web.settings import OidcConfig
from monitor.web.who import address, cookie, cookie_name

CALLBACK = "/oidc/callback"
REFUSED, UNAVAILABLE, EXPIRED = "oidc_refused", "oidc_unavailable", "oidc_expired"
"""Words in `/login?error=`; nothing of what the provider says is shown to anybody."""
_BY = "OpenID Connect"
"""Who gives and changes accounts, in the audit, where the provider's groups say what somebody is."""

_log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")
_Text = Annotated[str, Query(max_length=4096)]


def router(parts: Parts, accounts: Accounts, config: OidcConfig) -> APIRouter:
    """The routes; they are no part of the API. Raises `ConfigError` where the secret is not to be had."""
    flow = _Flow(parts, accounts, config)
    routes = APIRouter(include_in_schema=False)
    routes.add_api_route("/oidc/login", flow.begin, methods=["GET"], response_model=None)
    routes.add_api_route(CALLBACK, flow.back, methods=["GET"], response_model=None)
    return routes


class _Flow:
    def __init__(self, parts: Parts, accounts: Accounts, config: OidcConfig) -> None:
        self._parts = parts
        self._accounts = accounts
        self._config = config
        self._provider = Provider(config, parts.clock)
        self._begins = Begins(parts.clock)
        self._cookie = f"{cookie_name(parts)}-oidc"
        self._silent = False

    async def begin(self, request: Request, next: _Text = "/") -> Response:  # noqa: A002 - so the address calls it
        """Send the browser to the provider."""
        state, browser, begun = self._begins.begin(address(request), _own_path(next))
        try:
            there = await self._ask(self._provider.login_address, state, begun, request)
        except ProviderSilent:
            return _failed(UNAVAILABLE)
        answer = RedirectResponse(there, 303)
        # The provider's page leads back here: with `strict` the browser would keep it to itself then.
        answer.set_cookie(
            self._cookie,
            browser,
            max_age=round(LASTS),
            path="/",
            secure=self._parts.web.secure,
            httponly=True,
            samesite="lax",
        )
        return answer

    async def back(self, request: Request, state: _Text = "", code: _Text = "", error: _Text = "") -> Response:
        """Log in whom the provider sends back."""
        answer = await self._end(request, state, code, error)
        answer.delete_cookie(self._cookie, path="/", secure=self._parts.web.secure, httponly=True, samesite="lax")
        return answer

    async def _end(self, request: Request, state: str, code: str, error: str) -> Response:
        begun = self._begins.take(state, request.cookies.get(self._cookie, ""))
        if error:
            return _failed(REFUSED)
        if begun is None or not code:
            return _failed(EXPIRED)
        where = address(request)
        try:
            claims = await self._ask(self._provider.claims, code, begun, request)
            login = await _log_in(self._accounts, self._config, claims, where)
        except ProviderSilent:
            return _failed(UNAVAILABLE)
        except (LoginRefused, AccountRefused) as refused:
            _log.warning("a login by OpenID Connect from %s was refused: %s", where, refused)
            return _failed(REFUSED)
        await self._accounts.log_out(cookie(request), where)
        answer = once_more(begun.next)
        keep(answer, self._parts, login)
        return answer

    async def _ask(
        self, what: Callable[[str, Begun, str], _Answer], said: str, begun: Begun, request: Request
    ) -> _Answer:
        callback = f"{request.url.scheme}://{request.headers['host']}{CALLBACK}"
        try:
            answer = await asyncio.to_thread(what, said, begun, callback)
        except ProviderSilent as error:
            # Anybody may have it tried: the log hears of a change alone.
            if not self._silent:
                _log.warning("the OpenID Connect provider cannot be used: %s", error)
            self._silent = True
            raise
        if self._silent:
            _log.warning("the OpenID Connect provider can be used again")
        self._silent = False
        return answer


async def _log_in(accounts: Accounts, config: OidcConfig, claims: Mapping[str, Any], where: str) -> Login:
    """Raises LoginRefused or AccountRefused."""
    said = claims.get(config.claim)
    login = said.strip().lower() if isinstance(said, str) else ""
    if not is_login(login):
        raise LoginRefused(f"the ID token has nothing in {config.claim} that could be a login")
    user = accounts.user(login)
    if user is not None and user.password is not None:
        # It is somebody's of this station, whoever may be called the same at the provider.
        raise LoginRefused(f"{login} has a password here, and logs in by it alone")
    if config.roles_claim is not None:
        role = _role(claims.get(config.roles_claim), config.roles)
        if role is None:
            raise LoginRefused(f"nothing in {config.roles_claim} of {login} gives a role here")
        if user is None:
            name = claims.get("name")
            title = name if isinstance(name, str) and name.strip() else login
            await accounts.add_user(login, title, role, None, by=_BY, origin=where)
        elif not user.disabled:
            await accounts.set_role(login, role, by=_BY, origin=where)
    return await accounts.log_in_known(login, where)


def _role(groups: object, roles: Mapping[str, Role]) -> Role | None:
    """The highest that one of these groups gives."""
    said = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
    given = {roles[group] for group in said if isinstance(group, str) and group in roles}
    return max(given, key=list(Role).index, default=None)


def _own_path(text: str) -> str:
    """The path of this site that it names; `/` where it names none."""
    # A browser takes \\ for /, and leaves line ends and tabulators out.
    own = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if own and urlsplit(text).netloc == "" else "/"


def _failed(word: str) -> Response:
    return RedirectResponse(f"/login?error={word}", 303)
