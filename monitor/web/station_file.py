"""Where a command on this machine finds the station that holds the data folder.

The station leaves a file there, for its own user only, with an address of its own and a token that is new at each
start; who can read that file could write the journal itself.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

ADDRESS_FILE = "station.json"
SESSIONS, ALERTS = "/api/sessions", "/api/alerts"
"""What commands ask there; who may, and how, is in `routes`."""

_log = logging.getLogger(__name__)


class StationAddress(NamedTuple):
    """Where the running station is to be asked."""

    host: str
    port: int
    token: str


def write(data_dir: Path, address: str, token: str) -> None:
    """Say where the station is, `address` being that of its page; nobody ever reads half of it.

    Where it cannot be written the log says so, and the station runs on: it records, and commands do not reach it.
    """
    path = data_dir / ADDRESS_FILE
    half = path.with_suffix(".new")
    try:
        half.unlink(missing_ok=True)
        file = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            json.dump({"address": address, "token": token}, stream)
        half.replace(path)
    except OSError as error:
        _log.warning("%s cannot be written, so that no command reaches this station: %s", path, error)


def remove(data_dir: Path) -> None:
    """Take back what `write` has said, or what a station said that was killed. Harmless where there is nothing."""
    path = data_dir / ADDRESS_FILE
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        # It leads to nobody: its token is refused.
        _log.warning("%s cannot be removed: %s", path, error)


def read(data_dir: Path) -> StationAddress | None:
    """Where the station is; None where none has said so yet. Raises OSError where the file may not be read."""
    try:
        said = json.loads((data_dir / ADDRESS_FILE).read_bytes())
        where = urlsplit(said["address"])
        # `localhost` may also be ::1, where the station does not listen.
        host = "127.0.0.1" if where.hostname == "localhost" else where.hostname
        if host and where.port and isinstance(said["token"], str):
            return StationAddress(host, where.port, said["token"])
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        # A power cut can leave a file without its content.
        pass
    return None
