"""Files that commands write: whole, or not at all."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from drivers.errors import ConfigError


@contextmanager
def output_file(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name, and the place of what has it, when all is written; `-` is the standard output.

    A device or a pipe is written to as it is. Raises ConfigError where it cannot be written.
    """
    if str(path) == "-":
        yield sys.stdout.buffer
        return
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            # /dev/stdout, say: a file in its place would be a damage.
            with path.open("wb") as file:
                yield file
        else:
            with _replacing(path) as file:
                yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ConfigError([f"{path} cannot be written: {error.strerror or error}"]) from error


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    # A chart is nobody's business but its owner's.
    opened = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(opened, "wb") as file:
            yield file
        beside.replace(path)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()
