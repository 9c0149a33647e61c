"""A file with one token in it, that only its owner may read."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from drivers.errors import ConfigError

_TOKEN = re.compile(r"[A-Za-z0-9_.~+/-]{8,512}={0,2}")


def read(file: Path) -> str | None:
    """The token in it; None if there is no such file, or nothing in it. Raises `ConfigError` for anything else."""
    try:
        text = file.read_bytes()[:4096].decode(errors="replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError([f"{file}: {error.strerror}"]) from error
    if not text:
        return None
    if not _TOKEN.fullmatch(text):
        raise ConfigError([f"{file}: is there, and is no file with a token: name another one"])
    return text


def write(file: Path, make: Callable[[], str]) -> Path | None:
    """Store the token that `make` gives; where a file that was there has been moved to, None if there was none.

    Whether the folder takes a file is known before `make` is called. Raises `ConfigError`, and whatever `make` raises.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigError([f"{file}: {error.strerror}"]) from error
    aside = None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(f"{make()}\n")
            opened.flush()
            os.fsync(opened.fileno())
        if file.exists() and file.stat().st_size:
            aside = file.with_name(f"{file.name}.old")
            file.replace(aside)
        beside.replace(file)
    except OSError as error:
        raise ConfigError([f"{file}: {error.strerror}"]) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
    return aside
