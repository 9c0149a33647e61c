"""All accounts, tokens and logins of one moment, and what one change makes of them: nothing here waits or writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from drivers.errors import AccountRefused
from monitor.accounts.people import Role
from monitor.accounts.store import State, StoredLogin, Token, User, same

_LOGINS_EACH = 50
"""Of one person at a time: more than there are chairs and desks. One more ends the oldest."""


class Held(NamedTuple):
    """Never changed: a change gives another one."""

    users: Mapping[str, User]
    """By login."""
    tokens: Mapping[str, Token]
    """By `same` of the name."""
    logins: Mapping[str, StoredLogin]
    """By the SHA-256 of the secret."""


Change = Callable[[Held], Held]
"""Raises AccountRefused where it cannot be made."""


def held(state: State) -> Held:
    """What a file says."""
    return Held(
        {user.login: user for user in state.users},
        {same(token.name): token for token in state.tokens},
        {login.secret_sha256: login for login in state.logins},
    )


def state(of: Held) -> State:
    """What a file is to say."""
    return State(users=tuple(of.users.values()), tokens=tuple(of.tokens.values()), logins=tuple(of.logins.values()))


def user(of: Held, login: str) -> User:
    """The user of that login. Raises AccountRefused."""
    if login not in of.users:
        raise AccountRefused(f"there is no account {login!r}")
    return of.users[login]


def token(of: Held, name: str) -> Token:
    """The token of that name, revoked or not. Raises AccountRefused."""
    if same(name) not in of.tokens:
        raise AccountRefused(f"there is no token {name!r}")
    return of.tokens[same(name)]


def with_user(new: User) -> Change:
    """One more."""

    def change(of: Held) -> Held:
        if new.login in of.users:
            raise AccountRefused(f"there is an account {new.login!r} already")
        _check_name(of, new.name, None)
        return of._replace(users={**of.users, new.login: new})

    return change


def with_role(user: User, role: Role) -> Change:
    """Another role of somebody."""
    return lambda of: _with(of, user, role=role)


def with_name(user: User, name: str) -> Change:
    """Another name of somebody."""

    def change(of: Held) -> Held:
        _check_name(of, name, user.login)
        return _with(of, user, name=name)

    return change


def with_password(user: User, password: str) -> Change:
    """Another password, by its hash; whoever is logged in as that person is so no more."""
    return lambda of: _without_logins(_with(of, user, password=password), user.login)


def with_disabled(user: User) -> Change:
    """Disabled, by which all his logins end."""
    return lambda of: _without_logins(_with(of, user, disabled=True), user.login)


def with_enabled(user: User) -> Change:
    """Enabled again."""
    return lambda of: _with(of, user, disabled=False)


def with_token(new: Token) -> Change:
    """One more, also in the place of a revoked one."""

    def change(of: Held) -> Held:
        before = of.tokens.get(same(new.name))
        if before is None or before.revoked_at is None:
            _check_name(of, new.name, None)
        return of._replace(tokens={**of.tokens, same(new.name): new})

    return change


def without_token(name: str, at: int) -> Change:
    """Revoked at `at`, UTC nanoseconds."""

    def change(of: Held) -> Held:
        revoked = token(of, name).model_copy(update={"revoked_at": at})
        return of._replace(tokens={**of.tokens, same(name): revoked})

    return change


def with_login(new: StoredLogin, renewed: str | None) -> Change:
    """Somebody is logged in, and what has expired is gone; with `renewed` his password's hash is that now."""

    def change(of: Held) -> Held:
        logins = {key: login for key, login in of.logins.items() if login.expires_at > new.created_at}
        own = [key for key, login in logins.items() if login.login == new.login]
        for key in own[: max(0, len(own) + 1 - _LOGINS_EACH)]:
            del logins[key]
        after = of._replace(logins={**logins, new.secret_sha256: new})
        return after if renewed is None else _with(after, user(after, new.login), password=renewed)

    return change


def without_login(key: str) -> Change:
    """One login has ended."""
    return lambda of: of._replace(logins={other: login for other, login in of.logins.items() if other != key})


def _with(of: Held, before: User, **changes: object) -> Held:
    """Somebody who was `before`, changed."""
    if of.users.get(before.login) is not before:
        # What was decided first may have been written last: it must not take back what came after it.
        raise AccountRefused(f"{before.login} was changed by somebody else meanwhile: see how it is now")
    after = of._replace(users={**of.users, before.login: before.model_copy(update=changes)})
    if _has_admin(of) and not _has_admin(after):
        raise AccountRefused(
            f"{before.login} is the last admin: make somebody else admin first, or nobody could give accounts any more"
        )
    return after


def _has_admin(of: Held) -> bool:
    return any(one.role is Role.ADMIN and not one.disabled for one in of.users.values())


def _without_logins(of: Held, login: str) -> Held:
    return of._replace(logins={key: one for key, one in of.logins.items() if one.login != login})


def _check_name(of: Held, name: str, own: str | None) -> None:
    """Raises AccountRefused where it is somebody else's: who acted could not be told apart in charts."""
    taken = {same(one.name) for one in of.users.values() if one.login != own} | of.tokens.keys()
    if same(name) in taken:
        raise AccountRefused(f"somebody or a token has the name {name!r} already")
