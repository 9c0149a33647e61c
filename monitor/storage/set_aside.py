"""A damaged journal: moved out of the way, never deleted, and named again and again until a person has seen to it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

_PREFIX = "journal-damaged-"


def set_aside(path: Path, at: int) -> Path:
    """Give the journal and what belongs to it another name in the same folder; the new name. Raises OSError.

    The log goes first: a journal that a crash leaves behind without its log still says that it is damaged.
    """
    moment = datetime.fromtimestamp(at // 1_000_000_000, UTC)
    free = path.with_name(f"{_PREFIX}{moment:%Y%m%dT%H%M%SZ}.db")
    number = 2
    while free.exists():
        free = path.with_name(f"{_PREFIX}{moment:%Y%m%dT%H%M%SZ}-{number}.db")
        number += 1
    for ending in ("-wal", "-shm", ""):
        source = Path(f"{path}{ending}")
        if source.exists():
            source.rename(f"{free}{ending}")
    return free


def damaged_files(data_dir: Path) -> tuple[str, ...]:
    """The names of the journals that were set aside and still lie in the folder."""
    try:
        return tuple(sorted(file.name for file in data_dir.glob(f"{_PREFIX}*.db")))
    except OSError:
        return ()
