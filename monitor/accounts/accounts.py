"""Who may do what at one station: the accounts of people, the tokens of machines, and who is logged in.

All of it is in memory, so that each request is answered without a disk; `kept` says when a change is in force and when
it is on disk. Every change is told to `record`, and so is who logged in, out, or in vain; no secret ever is.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from drivers.clock import NS, Clock
from drivers.errors import AccountRefused, LoginRefused, TooManyAttempts
from monitor.accounts import held
from monitor.accounts.attempts import Attempts
from monitor.accounts.kept import Kept
from monitor.accounts.passwords import Passwords
from monitor.accounts.people import Person, Role, Via
from monitor.accounts.store import AccountStore, StoredLogin, Token, User, is_login, same

LOGIN_HOURS = 12.0
"""How long a login lasts, whatever is done meanwhile: a shift."""
TOKEN_PREFIX = "imt_"  # noqa: S105 - no secret: by this one is known where it should not be
_STATION = "station"
"""The actor where it is not known who tried."""

_Model = TypeVar("_Model", bound=BaseModel)


class Record(Protocol):
    """Told who did what; `Journal.record_audit` is one."""

    def __call__(
        self, actor: str, action: str, detail: str, /, *, origin: str = "", old: str = "", new: str = ""
    ) -> None:
        """`origin` is where it was asked for; `old` and `new` are what was in force before and is since."""


@dataclass(frozen=True, slots=True)
class Login:
    """Somebody is logged in."""

    secret: str = field(repr=False)
    """What his cookie says."""
    csrf: str = field(repr=False)
    """What his page says with each change, as another site's could not. It follows from the secret."""
    person: Person
    expires_at: int
    """UTC nanoseconds."""


class Accounts:
    """The accounts in `data_dir`. `load` comes first; `login_hours` is for how long a login lasts."""

    def __init__(
        self,
        data_dir: Path,
        clock: Clock,
        record: Record,
        *,
        login_hours: float = LOGIN_HOURS,
        passwords: Passwords | None = None,
    ) -> None:
        self._kept = Kept(AccountStore(data_dir), clock)
        self._clock = clock
        self._record = record
        self._lasts = round(login_hours * 3600 * NS)
        self._passwords = passwords or Passwords()
        self._attempts = Attempts(clock)

    async def load(self) -> None:
        """Take up what the file says. Raises AccountsUnusable where it does not say who may do what."""
        await self._kept.load()

    async def close(self) -> bool:
        """Try once more to write what the disk has refused; whether all is on disk."""
        return await self._kept.close()

    @property
    def exist(self) -> bool:
        """Whether there is any account, also a disabled one: if so, nobody is let in without one."""
        return bool(self._kept.held.users)

    def users(self) -> list[User]:
        """All of them, by login."""
        return sorted(self._kept.held.users.values(), key=lambda user: user.login)

    def tokens(self) -> list[Token]:
        """All of them, by name; revoked ones too."""
        return sorted(self._kept.held.tokens.values(), key=lambda token: same(token.name))

    def user(self, login: str) -> User | None:
        """The account of that login."""
        return self._kept.held.users.get(login)

    def token(self, name: str) -> Token:
        """The token of that name, revoked or not. Raises AccountRefused."""
        return held.token(self._kept.held, name)

    def person_of_cookie(self, secret: str) -> Login | None:
        """Who has that cookie, with the role of now; None where the login has ended."""
        # Found by the hash: how long that takes says nothing of a secret.
        stored = self._kept.held.logins.get(_sha256(secret))
        if stored is None or stored.expires_at <= self._clock.now_ns():
            return None
        user = self._kept.held.users[stored.login]
        return None if user.disabled else _login(secret, user, stored.expires_at)

    def person_of_token(self, bearer: str) -> Person | None:
        """Which machine has that token."""
        hashed = _sha256(bearer)
        for token in self._kept.held.tokens.values():
            if token.secret_sha256 == hashed and token.revoked_at is None:
                return Person(token.name, token.name, token.role, Via.TOKEN)
        return None

    async def log_in(self, login: str, password: str, address: str) -> Login:
        """Log in who knows the password. Raises LoginRefused, or TooManyAttempts before it is even looked at.

        A login that nobody has, and a disabled one, are counted and take as long as a wrong password.
        """
        # As telephones write the first letter.
        login = login.strip().lower()
        user = self.user(login)
        # Of an unknown one nothing is written: people type their password there.
        known = "an unknown login" if user is None else _named(user)
        if self._passwords.busy:
            raise TooManyAttempts(1.0, first=False)
        counted = login if is_login(login) else ""
        try:
            self._attempts.begin(counted, address)
        except TooManyAttempts as error:
            if error.first:
                self._record(_STATION, "logins blocked", f"{known}, for {error.seconds:.0f} s", origin=address)
            raise
        kept = None if user is None or user.disabled else user.password
        right = await self._passwords.verify(kept, password)
        renewed = await self._passwords.renewed(kept, password) if right and kept else None
        # Meanwhile somebody may have disabled him, or given him another password.
        now = self.user(login)
        if not right or now is None or now.disabled or now.password != kept:
            self._record(_STATION, "login refused", known, origin=address)
            raise LoginRefused("the login or the password is wrong")
        self._attempts.succeeded(counted, address)
        return await self._log_in(now, address, "password", renewed)

    async def log_in_known(self, login: str, address: str) -> Login:
        """Log in somebody whom an OpenID Connect provider has proven to be that one.

        Raises LoginRefused where he is unknown here, or disabled.
        """
        user = self.user(login)
        if user is None or user.disabled:
            known = "an unknown login" if user is None else _named(user)
            self._record(_STATION, "login refused", f"{known}, OpenID Connect", origin=address)
            raise LoginRefused("you have no account here, or it is disabled")
        return await self._log_in(user, address, "OpenID Connect", None)

    async def log_out(self, secret: str, address: str = "") -> None:
        """End a login; harmless where it has ended."""
        login = self.person_of_cookie(secret)
        if login is None:
            return
        person = login.person
        told = partial(self._record, person.login, "logged out", f"{person.login} ({person.name})", origin=address)
        await self._kept.take(held.without_login(_sha256(secret)), told)

    async def add_user(
        self, login: str, name: str, role: Role, password: str | None, *, by: str, origin: str = ""
    ) -> bool:
        """Give an account; without a password for one who logs in elsewhere. Raises AccountRefused."""
        new = _made(User, login=login, name=name, role=role, password=None, created_at=self._clock.now_ns())
        # What is refused anyhow is not hashed first.
        held.with_user(new)(self._kept.held)
        if password is not None:
            hashed = await self._passwords.hash(password, new.login, new.name)
            new = new.model_copy(update={"password": hashed})
        told = partial(self._record, by, "user added", _named(new), origin=origin, new=new.role.value)
        await self._kept.give(held.with_user(new), told)
        return True

    async def set_role(self, login: str, role: Role, *, by: str, origin: str = "") -> bool:
        """Let somebody do more, or less; his logins have it at once. Raises AccountRefused."""
        user = held.user(self._kept.held, login)
        told = partial(
            self._record, by, "role changed", _named(user), origin=origin, old=user.role.value, new=role.value
        )
        if not role.includes(user.role):
            return await self._kept.take(held.with_role(user, role), told)
        await self._kept.give(held.with_role(user, role), told if role is not user.role else _nothing)
        return True

    async def set_name(self, login: str, name: str, *, by: str, origin: str = "") -> bool:
        """Have somebody stand in charts with another name from now on. Raises AccountRefused."""
        user = held.user(self._kept.held, login)
        new = _made(User, **{**user.model_dump(), "name": name})
        if new.name != user.name:
            told = partial(self._record, by, "name changed", _named(new), origin=origin, old=user.name, new=new.name)
            await self._kept.give(held.with_name(user, new.name), told)
        return True

    async def set_password(self, login: str, password: str, *, by: str, origin: str = "") -> bool:
        """Give somebody another password, by which all his logins end. Raises AccountRefused."""
        user = held.user(self._kept.held, login)
        hashed = await self._passwords.hash(password, user.login, user.name)
        told = partial(self._record, by, "password changed", _named(user), origin=origin)
        await self._kept.give(held.with_password(user, hashed), told)
        return True

    async def disable(self, login: str, *, by: str, origin: str = "") -> bool:
        """Let somebody in no more, and end all his logins. Raises AccountRefused."""
        user = held.user(self._kept.held, login)
        told = _nothing if user.disabled else partial(self._record, by, "user disabled", _named(user), origin=origin)
        # Also where it is so: somebody may be about to enable him, which this comes after.
        return await self._kept.take(held.with_disabled(user), told)

    async def enable(self, login: str, *, by: str, origin: str = "") -> bool:
        """Let somebody in again. Raises AccountRefused."""
        user = held.user(self._kept.held, login)
        if user.disabled:
            told = partial(self._record, by, "user enabled", _named(user), origin=origin)
            await self._kept.give(held.with_enabled(user), told)
        return True

    async def add_token(self, name: str, role: Role, *, by: str, origin: str = "") -> str:
        """Give a machine a token, which nobody can be told a second time. Raises AccountRefused."""
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        new = _made(Token, name=name, role=role, secret_sha256=_sha256(secret), created_at=self._clock.now_ns())
        told = partial(self._record, by, "token added", new.name, origin=origin, new=new.role.value)
        await self._kept.give(held.with_token(new), told)
        return secret

    async def revoke_token(self, name: str, *, by: str, origin: str = "") -> bool:
        """Let a machine in no more. Raises AccountRefused."""
        token = held.token(self._kept.held, name)
        if token.revoked_at is not None:
            return self._kept.on_disk
        told = partial(self._record, by, "token revoked", token.name, origin=origin, old=token.role.value)
        return await self._kept.take(held.without_token(name, self._clock.now_ns()), told)

    async def _log_in(self, user: User, address: str, how: str, renewed: str | None) -> Login:
        secret = secrets.token_urlsafe(32)
        now = self._clock.now_ns()
        stored = StoredLogin(
            secret_sha256=_sha256(secret), login=user.login, created_at=now, expires_at=now + self._lasts
        )
        told = partial(self._record, user.login, "logged in", f"{_named(user)}, {how}", origin=address)
        await self._kept.take(held.with_login(stored, renewed), told)
        return _login(secret, user, stored.expires_at)


def _nothing() -> None:
    """It was so before: there is nothing to tell."""


def _login(secret: str, user: User, expires_at: int) -> Login:
    csrf = hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest()
    return Login(secret, csrf, Person(user.login, user.name, user.role, Via.SESSION), expires_at)


def _named(user: User) -> str:
    return f"{user.login} ({user.name})"


def _sha256(secret: str) -> str:
    # 256 random bits need no salt and no slow hash: nobody can guess them.
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _made(model: type[_Model], **fields: Any) -> _Model:
    """Raises AccountRefused for fields that cannot be."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise AccountRefused(f"{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}") from None
