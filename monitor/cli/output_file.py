"""Files that commands write: whole, or not at all."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from drivers.errors import ConfigError


@contextmanager
def output_file(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name, and the place of what has it, when all is written; `-` is the standard output.

    Raises ConfigError where it cannot be written.
    """
    if str(path) == "-":
        yield sys.stdout.buffer
        return
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        # A chart is nobody's business but its owner's.
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
        beside.replace(path)
    except OSError as error:
        raise ConfigError([f"{path} cannot be written: {error.strerror or error}"]) from error
    finally:
        beside.unlink(missing_ok=True)
