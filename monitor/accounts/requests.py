"""What is asked of accounts and tokens: one form for each verb of the command line and of the page; they as JSON."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter

from drivers.clock import iso
from monitor.accounts.accounts import Accounts
from monitor.accounts.people import Person, Role
from monitor.accounts.store import LoginName, Name, Token, User
from monitor.forms import Line

USERS, TOKENS = "/api/users", "/api/tokens"
"""Where they are asked of a station."""


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Line
    """Who does it; of one who is known by name that counts instead."""


class _OfUser(_Request):
    login: LoginName


class _OfToken(_Request):
    name: Line


class AddUser(_OfUser):
    """Give an account."""

    verb: Literal["add"] = "add"
    name: Name
    role: Role
    password: SecretStr | None
    """None for one who logs in elsewhere (OpenID Connect); it has to be said."""


class SetRole(_OfUser):
    """Let somebody do more, or less."""

    verb: Literal["role"] = "role"
    role: Role


class SetPassword(_OfUser):
    """Give somebody another password."""

    verb: Literal["password"] = "password"
    password: SecretStr


class SetName(_OfUser):
    """Have somebody stand in charts with another name from now on."""

    verb: Literal["name"] = "name"
    name: Name


class Disable(_OfUser):
    """Let somebody in no more."""

    verb: Literal["disable"] = "disable"


class Enable(_OfUser):
    """Let somebody in again."""

    verb: Literal["enable"] = "enable"


class AddToken(_OfToken):
    """Give a machine a token."""

    verb: Literal["add"] = "add"
    name: Name
    role: Role


class RevokeToken(_OfToken):
    """Let a machine in no more."""

    verb: Literal["revoke"] = "revoke"


UserRequest = AddUser | SetRole | SetPassword | SetName | Disable | Enable
TokenRequest = AddToken | RevokeToken
USER_REQUEST: TypeAdapter[UserRequest] = TypeAdapter(Annotated[UserRequest, Field(discriminator="verb")])
"""Reads any of them from JSON."""
TOKEN_REQUEST: TypeAdapter[TokenRequest] = TypeAdapter(Annotated[TokenRequest, Field(discriminator="verb")])
"""Likewise."""


async def do(accounts: Accounts, request: UserRequest | TokenRequest, person: Person, origin: str) -> dict[str, Any]:
    """Do what `person` asks from `origin`, and give how the account or token is then.

    `recorded` says whether it is on disk; where it is not, it is in force all the same. Of a new token `token` is the
    secret. Raises AccountRefused.
    """
    by = person.login if person.via.named else request.by
    match request:
        case AddToken():
            secret = await accounts.add_token(request.name, request.role, by=by, origin=origin)
            return {"token": secret, **_token_of(accounts, request.name), "recorded": True}
        case RevokeToken():
            recorded = await accounts.revoke_token(request.name, by=by, origin=origin)
            return {**_token_of(accounts, request.name), "recorded": recorded}
        case _:
            recorded = await _do_to_user(accounts, request, by, origin)
            user = accounts.user(request.login)
            return {"user": None if user is None else user_told(user), "recorded": recorded}


def users_told(accounts: Accounts) -> dict[str, list[dict[str, Any]]]:
    """All accounts."""
    return {"users": list(map(user_told, accounts.users()))}


def tokens_told(accounts: Accounts) -> dict[str, list[dict[str, Any]]]:
    """All tokens."""
    return {"tokens": list(map(token_told, accounts.tokens()))}


def user_told(user: User) -> dict[str, Any]:
    """An account, as JSON has it."""
    return {
        "login": user.login,
        "name": user.name,
        "role": user.role.value,
        "disabled": user.disabled,
        "created_at": iso(user.created_at),
        "password": user.password is not None,
    }


def token_told(token: Token) -> dict[str, Any]:
    """A token, as JSON has it."""
    return {
        "name": token.name,
        "role": token.role.value,
        "created_at": iso(token.created_at),
        "revoked_at": None if token.revoked_at is None else iso(token.revoked_at),
    }


async def _do_to_user(accounts: Accounts, request: UserRequest, by: str, origin: str) -> bool:
    match request:
        case AddUser():
            password = None if request.password is None else request.password.get_secret_value()
            return await accounts.add_user(request.login, request.name, request.role, password, by=by, origin=origin)
        case SetRole():
            return await accounts.set_role(request.login, request.role, by=by, origin=origin)
        case SetPassword():
            return await accounts.set_password(request.login, request.password.get_secret_value(), by=by, origin=origin)
        case SetName():
            return await accounts.set_name(request.login, request.name, by=by, origin=origin)
        case Disable():
            return await accounts.disable(request.login, by=by, origin=origin)
        case Enable():
            return await accounts.enable(request.login, by=by, origin=origin)


def _token_of(accounts: Accounts, name: str) -> dict[str, Any]:
    return token_told(accounts.token(name))
