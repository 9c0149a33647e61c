"""`/api/users` and `/api/tokens`: who may log in, and which machines may ask."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from drivers.errors import AccountRefused
from monitor.accounts import requests
from monitor.accounts.accounts import Accounts
from monitor.accounts.people import Person
from monitor.accounts.requests import TOKEN_REQUEST, TOKENS, USER_REQUEST, USERS, TokenRequest, UserRequest
from monitor.web.asking import asked, described
from monitor.web.errors import Refusal, answers
from monitor.web.who import Admin, origin

_REFUSED = answers(409, 413, 415, 422) | {202: {"description": "In force, and waits for the disk"}}


def router(accounts: Accounts) -> APIRouter:
    """The routes; all of them are for admins."""
    routes = APIRouter(tags=["accounts"], responses=answers(401, 403))

    @routes.get(USERS)
    async def users(_person: Admin) -> dict[str, Any]:
        """All accounts, without their passwords."""
        return requests.users_told(accounts)

    @routes.get(TOKENS)
    async def tokens(_person: Admin) -> dict[str, Any]:
        """All tokens of machines, without their secrets."""
        return requests.tokens_told(accounts)

    @routes.post(USERS, openapi_extra=described(USER_REQUEST), responses=_REFUSED)
    async def change_user(request: Request, person: Admin, response: Response) -> dict[str, Any]:
        """Give, change or take an account: `verb` says what."""
        wanted = await asked(request, USER_REQUEST, person)
        return await done(request, person, response, wanted)

    @routes.post(TOKENS, openapi_extra=described(TOKEN_REQUEST), responses=_REFUSED)
    async def change_token(request: Request, person: Admin, response: Response) -> dict[str, Any]:
        """Give a machine a token, or take it: `verb` says which. A new one's secret is told this once."""
        wanted = await asked(request, TOKEN_REQUEST, person)
        return await done(request, person, response, wanted)

    async def done(
        request: Request, person: Person, response: Response, wanted: UserRequest | TokenRequest
    ) -> dict[str, Any]:
        try:
            answer = await requests.do(accounts, wanted, person, origin(request, person))
        except AccountRefused as error:
            raise Refusal(409, "refused", str(error)) from None
        response.status_code = 200 if answer["recorded"] else 202
        return answer

    return routes
