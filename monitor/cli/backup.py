"""`infusion-monitor backup`: a copy of the journal, while the station runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drivers.clock import iso
from monitor.cli.options import data_folder
from monitor.storage.backup import backup as back_up
from monitor.storage.connection import JOURNAL_FILE


def backup(
    file: Annotated[Path, typer.Argument(help="The copy; a file that is there is never overwritten.")],
    data_dir: Annotated[Path | None, typer.Option(help="The journal's folder; else as configured.")] = None,
    config: Annotated[Path | None, typer.Option(help="The station's configuration, for where its journal is.")] = None,
) -> None:
    """Copy the journal of one moment into one file, beside a running station too.

    To go back to it: stop the station, put it as journal.db into an empty data folder, and start the station.
    """
    folder = data_folder(config, data_dir)
    made = back_up(folder / JOURNAL_FILE, file)
    print(f"{file}: {made.size:,} bytes, {made.readings:,} readings, {made.alerts:,} alerts")
    newest = "" if made.newest is None else f", received at {iso(made.newest)}"
    print(f"newest commit {made.commit_no}{newest}")
    print(f"head {made.head}")
