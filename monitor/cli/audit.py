"""`infusion-monitor audit`: who did what to the record, to accounts and to sessions."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from drivers.clock import iso
from monitor.cli.moments import moment
from monitor.cli.options import Config, DataDir, data_folder
from monitor.cli.records import Since
from monitor.storage.history import AuditRow, History


def audit(
    since: Since = None,
    actor: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only what this one did; `station` is the station itself.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Print the audit in the order of writing: accounts, logins, what commands did, what befell the journal."""
    after = None if since is None else moment(since, "--since")
    for row in History(data_folder(config, data_dir)).audit(actor=actor, since=after):
        if as_json:
            print(json.dumps({**row._asdict(), "at": iso(row.at)}, ensure_ascii=False))
        else:
            print(_line(row))


def _line(row: AuditRow) -> str:
    where = f" ({row.origin})" if row.origin else ""
    what = f": {row.detail}" if row.detail else ""
    became = ""
    if row.old or row.new:
        became = f"  [{row.old} -> {row.new}]" if row.old else f"  [{row.new}]"
    # A detail may be an error of the system in several lines.
    return f"{iso(row.at)}  {' '.join(f'{row.actor}{where}  {row.action}{what}{became}'.splitlines())}"
