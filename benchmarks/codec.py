"""Frames that each driver decodes in a second of one core, against the frames that its device sends in a second."""

from __future__ import annotations

import statistics
import time

from benchmarks.streams import Kind, frames, kinds, reads
from benchmarks.table import Table

AIM = 1000
"""Times the rate of the device's own line."""
_SIMULATED = 240.0
"""Seconds of the device's life: longer than any cache of a codec remembers."""
_ROUNDS = 5
_ROUND = 0.3
"""Seconds that one round takes at least."""


def measure() -> Table:
    """Decode every kind's stream again and again."""
    table = Table(
        "Codecs: frames decoded per second of one core, fed in the reads that a line gives",
        f"{AIM:,} times the line's rate",
        ("driver", "line fr/s", "bytes/s", "decoded fr/s", "spread", "us/frame", "times line"),
        notes=["A frame is what the device sends at once: 5 bytes in Nonin 2 and 7, where 25 make a packet."],
    )
    for kind in kinds():
        _one(kind, table)
    return table


def _one(kind: Kind, table: Table) -> None:
    sent = frames(kind, _SIMULATED)
    line_rate = len(sent) / _SIMULATED
    pieces = [piece for frame in sent for piece in reads(kind, frame)]
    rates = sorted(_round(kind, sent, pieces) for _ in range(_ROUNDS))
    rate = statistics.median(rates)
    spread = (rates[-1] - rates[0]) / rate
    times = rate / line_rate
    bytes_rate = sum(map(len, sent)) / _SIMULATED
    table.rows.append(
        (
            kind.title,
            f"{line_rate:.3g}",
            f"{bytes_rate:,.0f}",
            f"{rate:,.0f}",
            f"{spread:.0%}",
            f"{1e6 / rate:.1f}",
            f"{times:,.0f}",
        )
    )
    table.raw.append({"driver": kind.title, "line_rate": line_rate, "rates": rates, "times_line_rate": times})
    if times < AIM:
        table.missed.append(f"{kind.title} ({times:,.0f})")


def _round(kind: Kind, sent: list[bytes], pieces: list[bytes]) -> float:
    passes, decoded, elapsed = 0, 0, 0.0
    while elapsed < _ROUND:
        codec = kind.codec()
        codec.reset()
        feed = codec.feed
        at = 1_767_225_600_000_000_000
        started = time.process_time()
        for piece in pieces:
            at += 1_000_000
            feed(piece, at)
        elapsed += time.process_time() - started
        passes += 1
        decoded += codec.counters.frames
        if codec.counters.rejected:
            raise RuntimeError(f"{kind.title}: {codec.counters.rejected} frames of a clean stream were refused")
    if not decoded:
        raise RuntimeError(f"{kind.title}: nothing was decoded")
    return passes * len(sent) / elapsed
