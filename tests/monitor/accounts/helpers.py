"""What the tests of accounts share: real files, argon2 with parameters that cost nothing, and an audit to look at."""

import json
import stat
from typing import NamedTuple

from argon2 import PasswordHasher

from monitor.accounts.accounts import Accounts
from monitor.accounts.passwords import Passwords
from monitor.accounts.people import Role

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"
HERE = "10.0.0.7"


class Row(NamedTuple):
    actor: str
    action: str
    detail: str
    origin: str
    old: str
    new: str


class Audit:
    """`record`, and what it was told."""

    def __init__(self):
        self.rows = []

    def __call__(self, actor, action, detail, /, *, origin="", old="", new=""):
        self.rows.append(Row(actor, action, detail, origin, old, new))

    @property
    def actions(self):
        return [row.action for row in self.rows]


async def loaded(folder, clock, audit=None, **arguments):
    """Accounts as a station starts with them."""
    accounts = Accounts(folder, clock, audit or Audit(), passwords=Passwords(QUICK), **arguments)
    await accounts.load()
    return accounts


async def with_users(folder, clock, audit=None, **arguments):
    """Anna is an admin, Ben a nurse; both have PASSWORD."""
    accounts = await loaded(folder, clock, audit, **arguments)
    await accounts.add_user("anna", "Anna Berg", Role.ADMIN, PASSWORD, by="root", origin="command")
    await accounts.add_user("ben", "Ben Olsen", Role.NURSE, PASSWORD, by="anna", origin=HERE)
    return accounts


def content(folder):
    return json.loads((folder / "accounts.json").read_text())


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)
