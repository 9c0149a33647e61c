"""`infusion-monitor token`: what machines may do, each with a token of its own. Exit codes as of `user`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from monitor.accounts.people import Role
from monitor.cli.options import By, Config, DataDir, login
from monitor.cli.user import accounts_of, say_what_is_missing

token_app = typer.Typer(
    help="Tokens of machines, which they send as `Authorization: Bearer TOKEN`. Works beside a station and without.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(help="The machine, as it stands in charts and in the audit.")]


@token_app.command()
def add(
    name: Name,
    *,
    role: Annotated[Role, typer.Option(help="What it may do; each role includes those before it.")],
    by: By = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Give a machine a token, and print it: once, since only its hash is kept."""
    answer = _do({"verb": "add", "name": name, "role": role.value}, by, config, data_dir)
    print(answer["token"])
    if sys.stdout.isatty():
        print("This is the only time that it is shown.", file=sys.stderr)
    say_what_is_missing(answer)


@token_app.command(name="list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Print all tokens without their secrets; revoked ones too."""
    for token in accounts_of(config, data_dir).tokens():
        print(json.dumps(token, ensure_ascii=False) if as_json else _line(token))


@token_app.command()
def revoke(name: Name, by: By = None, config: Config = None, data_dir: DataDir = None) -> None:
    """Let a machine in no more."""
    answer = _do({"verb": "revoke", "name": name}, by, config, data_dir)
    print(_line(answer))
    say_what_is_missing(answer)


def _do(fields: dict[str, Any], by: str | None, config: Path | None, data_dir: Path | None) -> dict[str, Any]:
    return accounts_of(config, data_dir).change_token({**fields, "by": by or login()})


def _line(token: dict[str, Any]) -> str:
    revoked = f"  REVOKED {token['revoked_at']}" if token["revoked_at"] else ""
    return f"{token['role']:8}  {token['name']}  since {token['created_at']}{revoked}"
