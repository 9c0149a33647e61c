"""`accounts.json` in the data folder: who may do what, kept so that nobody ever reads half of it.

It holds no secret that could be used: passwords as argon2id hashes, tokens and logins as SHA-256 of 256 random bits.
A file that is not there says that there are no accounts. One that cannot be read, is damaged or of a newer program says
nothing: it is refused, since a station that took it for none would let everybody in.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from drivers.errors import AccountsUnusable
from monitor.accounts.people import Role
from monitor.forms import Line

ACCOUNTS_FILE = "accounts.json"
VERSION = 1
"""Of what the file can say; a newer program counts it up."""

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_STATIONS_OWN = "station"
"""The name under which the station itself enters things."""


def is_login(text: str) -> bool:
    """Whether somebody could have that login."""
    return _LOGIN.fullmatch(text) is not None


def _login(text: str) -> str:
    if not is_login(text):
        raise ValueError("a login has 1 to 32 of a-z, 0-9, '.', '_' and '-', and begins with a letter or a digit")
    if text == _STATIONS_OWN:
        raise ValueError("is the name of the station itself")
    return text


def _nobody_elses(text: str) -> str:
    normal = unicodedata.normalize("NFC", text)
    if same(normal) == _STATIONS_OWN:
        raise ValueError("is the name of the station itself")
    return normal


def same(name: str) -> str:
    """What two names have in common that people would take for one."""
    return unicodedata.normalize("NFC", name).casefold()


LoginName = Annotated[str, AfterValidator(_login)]
"""What somebody types to log in."""
Name = Annotated[Line, AfterValidator(_nobody_elses)]
"""Of a person or a machine, as it stands in charts."""
Moment = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
"""UTC nanoseconds."""
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", repr=False)]


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class User(_Stored):
    """A person."""

    login: LoginName
    name: Name
    role: Role
    password: Annotated[Annotated[str, Field(pattern=r"^\$argon2id\$")] | None, Field(repr=False)]
    """Its hash; None for one who logs in elsewhere (OpenID Connect) alone."""
    disabled: bool = False
    created_at: Moment


class Token(_Stored):
    """What a machine may do."""

    name: Name
    role: Role
    secret_sha256: _Sha256
    created_at: Moment
    revoked_at: Moment | None = None


class StoredLogin(_Stored):
    """A login that has not ended."""

    secret_sha256: _Sha256
    """Of what the cookie says."""
    login: LoginName
    created_at: Moment
    expires_at: Moment


class State(_Stored):
    """All of the file."""

    version: Literal[1] = 1
    # Each has to be there: what is lost must not look like nobody.
    users: tuple[User, ...]
    tokens: tuple[Token, ...]
    logins: tuple[StoredLogin, ...]


NOBODY = State(users=(), tokens=(), logins=())


class _Versioned(BaseModel):
    version: Annotated[int, Field(strict=True)]


class AccountStore:
    """The file of one data folder. Both ask the disk: call them in a thread, and `write` one at a time."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / ACCOUNTS_FILE

    def read(self) -> State:
        """What it holds; nothing where there is no such file. Raises AccountsUnusable for anything else."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return NOBODY
        except OSError as error:
            raise AccountsUnusable([f"{self.path}: {error.strerror}: who may do what is not known"]) from error
        try:
            version = _Versioned.model_validate_json(content).version
            if version > VERSION:
                newer = f"is of a newer program (version {version}, this one knows {VERSION}): start that program"
                raise AccountsUnusable([f"{self.path} {newer}"])
            state = State.model_validate_json(content)
            _check(state)
        except ValueError as error:
            # Not from the error, which shows what stands there.
            raise AccountsUnusable(
                [f"{self.path} is damaged ({_where(error)}): put it back from a copy, or ask who changed it"]
            ) from None
        return state

    def write(self, state: State) -> None:
        """Put that in its place: after a power cut there is all of the one or all of the other. Raises OSError."""
        new = self.path.with_suffix(".new")
        # What a power cut has left; it may be somebody else's, with other rights.
        new.unlink(missing_ok=True)
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            stream.write(state.model_dump_json(indent=1))
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _check(state: State) -> None:
    """Raises ValueError where two have one name, or a login is nobody's."""
    logins = [user.login for user in state.users]
    names = [same(name) for name in (*(one.name for one in state.users), *(one.name for one in state.tokens))]
    if len(set(logins)) < len(logins) or len(set(names)) < len(names):
        raise ValueError("a login or a name is there twice")
    if not {one.login for one in state.logins} <= set(logins):
        raise ValueError("a login is nobody's")


def _where(error: ValueError) -> str:
    """What is wrong, without what stands there: it could be a secret."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else str(first["msg"])
