"""`infusion-monitor user`: who may log in, and what each may do.

Exit codes: 0 done, or it was so before; 1 refused; 2 wrong use or configuration; 3 done, and not on disk yet, or
without its audit; 4 it is not known whether it was done.
"""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drivers.errors import ConfigError
from monitor.accounts.people import Role
from monitor.cli.options import By, Config, DataDir, data_folder
from monitor.cli.options import login as own_login

if TYPE_CHECKING:
    from monitor.cli.accounts_client import AccountsClient

user_app = typer.Typer(
    help="Who may log in, and what each may do: a viewer looks, a nurse works with sessions and alerts, a reviewer "
    "answers for charts, an admin gives accounts and tokens. Works beside a station and without.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_TRIES = 3

Login = Annotated[str, typer.Argument(help="What is typed to log in: a-z, 0-9, '.', '_', '-'.")]
WhichRole = Annotated[Role, typer.Option(help="What they may do; each role includes those before it.")]
FromStdin = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the password from standard input, one line; else it is asked."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@user_app.command()
def add(
    login: Login,
    *,
    name: Annotated[str, typer.Option(help="As it stands in charts; nobody else's.")],
    role: WhichRole,
    from_stdin: FromStdin = False,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="For who logs in by OpenID Connect alone.")
    ] = False,
    by: By = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Give somebody an account. With the first one the page is for nobody without an account."""
    if no_password and from_stdin:
        raise ConfigError(["--password-stdin and --no-password: say one of them"])
    password = None if no_password else _password(from_stdin=from_stdin)
    fields = {"verb": "add", "login": login, "name": name, "role": role.value, "password": password}
    _do(fields, by, config, data_dir)


@user_app.command(name="list")
def list_(as_json: AsJson = False, config: Config = None, data_dir: DataDir = None) -> None:
    """Print all accounts."""
    for user in accounts_of(config, data_dir).users():
        print(json.dumps(user, ensure_ascii=False) if as_json else _line(user))


@user_app.command()
def role(
    login: Login,
    role: Annotated[Role, typer.Argument(help="What they may do from now on.")],
    by: By = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Let somebody do more, or less; at once, also where they are logged in."""
    _do({"verb": "role", "login": login, "role": role.value}, by, config, data_dir)


@user_app.command()
def name(
    login: Login,
    name: Annotated[str, typer.Argument(help="As it stands in charts from now on.")],
    by: By = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Change somebody's name."""
    _do({"verb": "name", "login": login, "name": name}, by, config, data_dir)


@user_app.command()
def password(
    login: Login,
    from_stdin: FromStdin = False,
    by: By = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Give somebody another password; they are logged out everywhere."""
    fields = {"verb": "password", "login": login, "password": _password(from_stdin=from_stdin)}
    _do(fields, by, config, data_dir)


@user_app.command()
def disable(login: Login, by: By = None, config: Config = None, data_dir: DataDir = None) -> None:
    """Let somebody in no more, and log them out everywhere."""
    _do({"verb": "disable", "login": login}, by, config, data_dir)


@user_app.command()
def enable(login: Login, by: By = None, config: Config = None, data_dir: DataDir = None) -> None:
    """Let somebody in again."""
    _do({"verb": "enable", "login": login}, by, config, data_dir)


def accounts_of(config: Path | None, data_dir: Path | None) -> AccountsClient:
    """Those of that folder. Raises `ConfigError`."""
    from monitor.cli.accounts_client import AccountsClient  # noqa: PLC0415 - other commands need none of it

    return AccountsClient(data_folder(config, data_dir))


def say_what_is_missing(answer: Mapping[str, Any]) -> None:
    """End with 3 where it was done, and something of it is not on disk."""
    if not answer["recorded"]:
        text = (
            "IN FORCE, NOT ON DISK YET: the accounts cannot be written. The station keeps them in memory and tries "
            "again: do not end the station"
        )
    elif not answer.get("audited", True):
        text = "DONE WITHOUT AUDIT: the journal cannot be written"
    else:
        return
    print(f"infusion-monitor: {text}", file=sys.stderr)
    raise typer.Exit(3)


def _do(fields: dict[str, Any], by: str | None, config: Path | None, data_dir: Path | None) -> None:
    answer = accounts_of(config, data_dir).change_user({**fields, "by": by or own_login()})
    print(_line(answer["user"]))
    say_what_is_missing(answer)


def _line(user: dict[str, Any]) -> str:
    how = "" if user["password"] else "  no password"
    state = "  DISABLED" if user["disabled"] else ""
    return f"{user['login']:16}  {user['role']:8}  {user['name']}{how}{state}"


def _password(*, from_stdin: bool) -> str:
    """Asked for twice at a terminal. Raises ConfigError where there is neither that nor a line."""
    if from_stdin:
        line = sys.stdin.readline().rstrip("\r\n")
        if not line:
            raise ConfigError(["--password-stdin: there is no line on standard input"])
        return line
    if not sys.stdin.isatty():
        raise ConfigError(["there is no terminal to ask for the password: say --password-stdin"])
    for _ in range(_TRIES):
        first = getpass.getpass("Password: ")
        if first == getpass.getpass("The same once more: "):
            return first
        print("These are not the same.", file=sys.stderr)
    raise ConfigError(["no password was given"])
