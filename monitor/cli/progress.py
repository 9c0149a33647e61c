"""A bar for what takes longer than a second, where somebody looks at it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

_SHOWN_AFTER = 1.0
"""Seconds: what is done by then needs no bar."""


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Gives what is called with how many of `total` were done since the last call; the bar is on stderr."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    began, waiting = time.monotonic(), 0
    bar = typer.progressbar(length=total, label=label, file=sys.stderr)
    shown = False

    def step(done: int) -> None:
        nonlocal shown, waiting
        waiting += done
        if not shown and time.monotonic() - began > _SHOWN_AFTER:
            bar.__enter__()
            shown = True
        if shown:
            bar.update(waiting)
            waiting = 0

    try:
        yield step
    finally:
        if shown:
            bar.__exit__(None, None, None)
