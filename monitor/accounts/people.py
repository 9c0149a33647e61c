"""Who asks the station for something, and what that person or machine may do."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Role(StrEnum):
    """What somebody may do; each role includes those before it."""

    VIEWER = "viewer"
    """Looks."""
    NURSE = "nurse"
    """Works with sessions and alerts."""
    REVIEWER = "reviewer"
    """Answers for charts."""
    ADMIN = "admin"
    """Gives and takes accounts and tokens."""

    def includes(self, other: Role) -> bool:
        """Whether it may do all that `other` may."""
        return _LADDER.index(self) >= _LADDER.index(other)


_LADDER = tuple(Role)


class Via(StrEnum):
    """By what the station knows who asks."""

    SESSION = "session"
    """A person's login, by cookie."""
    TOKEN = "token"  # noqa: S105 - a word, no secret
    """A machine's API token."""
    COMMAND = "command"
    """A command of the user whom the data folder belongs to."""
    OPEN = "open"
    """Nothing: without accounts anybody on this machine may try the station out."""

    @property
    def named(self) -> bool:
        """Whether the name is known: it is not to be given, and nobody can give another one."""
        return self in {Via.SESSION, Via.TOKEN}


class Person(NamedTuple):
    """Who asks."""

    login: str
    """Unique; of a machine its token's name. Empty where it is not known."""
    name: str
    """As it stands in charts, unique too. Empty where it is not known: who acts then says it with each request."""
    role: Role
    via: Via


COMMAND = Person("", "", Role.ADMIN, Via.COMMAND)
"""A command: who gave it is said with each request."""
