"""Options that several commands have, and what becomes of them."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from drivers.errors import ConfigError, InfusionMonitorError, StationSilent
from monitor import config_file
from monitor.config import StationConfig

By = Annotated[str | None, typer.Option(metavar="NAME", help="Who does it; else the login name.")]
AsJson = Annotated[bool, typer.Option("--json", help="The answer, and an error too, as a JSON object.")]
DataDir = Annotated[Path | None, typer.Option(help="The journal's folder; else as configured.")]
Config = Annotated[Path | None, typer.Option(help="The station's configuration.")]


def login() -> str:
    """Who is logged in. Raises `ConfigError` where that has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise ConfigError(["this login has no name: say who does it, with --by NAME"]) from None


def configuration(config: Path | None) -> StationConfig:
    """The configuration of that file, or the shipped one. Raises `ConfigError`."""
    return config_file.load(config or config_file.default_path(), here=False)


def data_folder(config: Path | None, data_dir: Path | None) -> Path:
    """The journal's folder. Raises `ConfigError`."""
    return data_dir or Path(configuration(config).data_dir)


def exit_code(error: InfusionMonitorError) -> int:
    """What a command ends with: 2 wrong use or configuration, 4 it is not known whether it was done, 1 the rest."""
    if isinstance(error, ConfigError):
        return 2
    return 4 if isinstance(error, StationSilent) else 1


def say_whether_recorded(answer: Mapping[str, Any], *, as_json: bool) -> None:
    """End with 3 where a station's answer says that it is not on disk yet."""
    if answer["recorded"]:
        return
    if not as_json:
        print(
            "infusion-monitor: NOT ON DISK YET: the journal cannot be written. The station keeps it in memory and "
            "tries again: do not end the station",
            file=sys.stderr,
        )
    raise typer.Exit(3)
