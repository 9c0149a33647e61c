"""`infusion-monitor verify`: whether the journal, or a backup of it, still says what was written."""

from __future__ import annotations

import gc
import json
import re
from pathlib import Path
from typing import Annotated

import typer

from drivers.errors import ConfigError
from monitor.cli.options import data_folder
from monitor.storage.connection import JOURNAL_FILE
from monitor.storage.verify import Head, Verified
from monitor.storage.verify import verify as verify_journal


def verify(
    file: Annotated[Path | None, typer.Argument(help="A backup, say; else the station's journal.")] = None,
    head: Annotated[
        str | None, typer.Option(metavar="N:HASH", help="A head noted earlier, which the chain has to contain.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="The journal's folder; else as configured.")] = None,
    config: Annotated[Path | None, typer.Option(help="The station's configuration, for where its journal is.")] = None,
) -> None:
    """Check that alerts, audit rows and readings are as they were written; exit code 1 if they are not.

    It reads only, beside a running station too. Waveforms and device events are not bound by the chain, nor are the
    readings since the last seal. Somebody who may write the file can also compute the chain anew, or cut its end off:
    note the head that is printed elsewhere, and give it with --head the next time.
    """
    noted = None if head is None else _noted(head)
    if file is None:
        folder = data_folder(config, data_dir)
        file = folder / JOURNAL_FILE
    # It would go through all modules again and again for rows that are freed without it: a third of the time.
    gc.disable()
    found = verify_journal(file, noted)
    if as_json:
        print(json.dumps(_fields(file, found), ensure_ascii=False))
    else:
        _print(file, found)
    if not found.holds:
        raise typer.Exit(1)


def _noted(text: str) -> Head:
    match = re.fullmatch(r"([0-9]{1,18}):([0-9a-fA-F]{64})", text.strip())
    if match is None:
        raise ConfigError(
            [f"--head {text}: expected a number, a colon and 64 digits, as an earlier `verify` printed it"]
        )
    return Head(int(match[1]), bytes.fromhex(match[2]))


def _fields(file: Path, found: Verified) -> dict[str, object]:
    return {
        "file": str(file),
        "holds": found.holds,
        "checks": [check._asdict() for check in found.checks],
        "readings": found.readings,
        "not_sealed": found.not_sealed,
        "head": None if found.head is None else str(found.head),
    }


def _print(file: Path, found: Verified) -> None:
    print(file)
    for check in found.checks:
        print(f"{'ok' if check.holds else 'FAULT':5}  {check.text}")
    if found.not_sealed:
        print(f"note   {found.not_sealed:,} readings of the last minute are not sealed yet")
    if not found.holds:
        print("the journal DOES NOT HOLD: keep this file as it is, and compare it with a backup")
    elif found.head is not None:
        print(f"head   {found.head}")
