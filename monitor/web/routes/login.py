"""`/api/me`, `/api/login` and `/api/logout`: who somebody is here, and how that begins and ends."""

from __future__ import annotations

import math
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from drivers.clock import NS, iso
from drivers.errors import LoginRefused, TooManyAttempts
from monitor.accounts.accounts import Login
from monitor.web.asking import asked, described
from monitor.web.errors import Refusal, answers
from monitor.web.parts import Parts
from monitor.web.who import Known, OwnPage, Viewer, address, cookie, cookie_name, known, unauthorized

LOGIN, LOGOUT, ME = "/api/login", "/api/logout", "/api/me"


class LoginRequest(BaseModel):
    """Somebody wants to log in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    login: Annotated[str, Field(max_length=200)]
    password: Annotated[SecretStr, Field(max_length=1000)]


LOGIN_REQUEST: TypeAdapter[LoginRequest] = TypeAdapter(LoginRequest)


def router(parts: Parts) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["login"])

    @routes.get(ME, dependencies=[OwnPage], responses=answers(401, 403))
    async def me(request: Request) -> dict[str, Any]:
        """Who asks, what they may do, and what their page has to say with each change."""
        found = known(request)
        if found is None:
            raise unauthorized(request)
        return _told(parts, found)

    @routes.post(
        LOGIN,
        dependencies=[OwnPage],
        openapi_extra=described(LOGIN_REQUEST),
        responses=answers(401, 403, 409, 413, 415, 422, 429),
    )
    async def log_in(request: Request, response: Response) -> dict[str, Any]:
        """Log in with a password: the answer is that of `/api/me`, and brings the cookie."""
        wanted = await asked(request, LOGIN_REQUEST)
        if parts.accounts is None or not parts.accounts.exist:
            raise Refusal(409, "refused", "there are no accounts here: `infusion-monitor user add` gives the first one")
        try:
            login = await parts.accounts.log_in(wanted.login, wanted.password.get_secret_value(), address(request))
        except TooManyAttempts as error:
            seconds = math.ceil(error.seconds)
            headers = {"Retry-After": str(seconds)}
            raise Refusal(429, "too_many", str(error), headers=headers, retry_after_s=seconds) from None
        except LoginRefused as error:
            raise Refusal(401, "unauthorized", str(error)) from None
        # The one that this browser had before would live on without anybody having it.
        await parts.accounts.log_out(cookie(request), address(request))
        keep(response, parts, login)
        return _told(parts, Known(login.person, login.csrf, login.expires_at))

    @routes.post(LOGOUT, status_code=204, responses=answers(401, 403))
    async def log_out(request: Request, response: Response, _person: Viewer) -> None:
        """End this login; other browsers of the same person stay logged in."""
        if parts.accounts is not None:
            await parts.accounts.log_out(cookie(request), address(request))
        response.delete_cookie(cookie_name(parts), path="/", secure=parts.web.secure, httponly=True, samesite="strict")

    return routes


def keep(response: Response, parts: Parts, login: Login) -> None:
    """Have the browser keep that login, for as long as it lasts, and for this station's own page alone."""
    response.set_cookie(
        cookie_name(parts),
        login.secret,
        max_age=max(0, (login.expires_at - parts.clock.now_ns()) // NS),
        path="/",
        secure=parts.web.secure,
        httponly=True,
        samesite="strict",
    )


def _told(parts: Parts, found: Known) -> dict[str, Any]:
    person = found.person
    return {
        "login": person.login,
        "name": person.name,
        "role": person.role.value,
        "via": person.via.value,
        "csrf": found.csrf,
        "expires_at": None if found.expires_at is None else iso(found.expires_at),
        "accounts": not parts.open,
        "site": parts.site,
    }
