"""Which reader a file gets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from drivers.errors import BadCapture
from drivers.recordings import formats


@pytest.mark.parametrize("name", ["a.csv", "a.zip", "a.vital", "a.edf"])
def test_what_may_never_end_is_not_opened(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(BadCapture, match="a pipe or a device"):
        formats.reader(tmp_path / name)
    (tmp_path / f"zero-{name}").symlink_to("/dev/zero")
    with pytest.raises(BadCapture, match="a pipe or a device"):
        formats.reader(tmp_path / f"zero-{name}")
