"""Where commands write: what they take the place of, and what they leave where they cannot."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from drivers.errors import ConfigError
from monitor.cli.output_file import output_file


def interrupted(path: Path) -> None:
    with output_file(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt


def test_what_is_there_is_replaced_when_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "chart.csv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        interrupted(path)
    assert [(it.name, it.read_text()) for it in tmp_path.iterdir()] == [("chart.csv", "old")]
    with output_file(path) as file:
        file.write(b"whole")
    assert [(it.name, it.read_text()) for it in tmp_path.iterdir()] == [("chart.csv", "whole")]


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    with output_file(path) as file:
        file.write(b"all")
    reader.join()
    assert read == [b"all"]
    assert path.is_fifo()


@pytest.mark.parametrize("name", ["file/chart.csv", "nowhere/chart.csv", "folder", "x" * 300])
def test_where_nothing_can_be_written_it_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="cannot be written"), output_file(tmp_path / name) as file:
        file.write(b"all")
    assert sorted(it.name for it in tmp_path.iterdir()) == ["file", "folder"]
