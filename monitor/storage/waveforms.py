"""Runs of samples, packed: one run as it comes, or the runs of a minute together.

A pack is a zlib stream of: how many runs (a little-endian 32-bit number); then three columns of 64-bit numbers, a run
each: `observed_at` of the first sample, `received_at`, how many samples; then all samples as 32-bit numbers, each the
difference from the one before, byte by byte of the same weight.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

from drivers.clock import NS
from drivers.events import Waveform

_HEAD = struct.Struct("<I")
_LEVEL = 1


def ends_at(run: Waveform) -> int:
    """When the run's last sample is over, UTC nanoseconds."""
    return run.observed_at + round(len(run.samples) * NS / run.rate)


def pack(runs: Sequence[Waveform]) -> bytes:
    """Runs of one waveform of one device at one rate; a sample must fit 32 bits (raises OverflowError)."""
    samples = np.array([sample for run in runs for sample in run.samples], np.int32)
    columns = np.array([[run.observed_at, run.received_at, len(run.samples)] for run in runs], np.int64)
    steps = np.diff(samples, prepend=np.int32(0))
    body = steps.view(np.uint8).reshape(len(samples), 4).T.tobytes()
    return zlib.compress(_HEAD.pack(len(runs)) + columns.T.tobytes() + body, _LEVEL)


def unpack(packed: bytes, name: str, rate: float) -> list[Waveform]:
    """The runs again. Raises ValueError for what `pack` did not make."""
    try:
        data = zlib.decompress(packed)
        (count,) = _HEAD.unpack_from(data)
        columns = np.frombuffer(data, np.int64, 3 * count, _HEAD.size).reshape(3, count)
        body = np.frombuffer(data, np.uint8, offset=_HEAD.size + 24 * count)
        steps = np.ascontiguousarray(body.reshape(4, len(body) // 4).T).view(np.int32).reshape(-1)
        lengths = columns[2]
        samples = np.cumsum(steps, dtype=np.int32)
    except (zlib.error, struct.error, ValueError) as error:
        raise ValueError(f"a damaged waveform: {error}") from error
    if np.any((lengths < 0) | (lengths > len(samples))) or lengths.sum() != len(samples):
        raise ValueError("a damaged waveform: it has not the length that it says")
    runs = np.split(samples, np.cumsum(lengths)[:-1])
    return [
        Waveform(name, tuple(run.tolist()), rate, observed_at, received_at)
        for run, observed_at, received_at in zip(runs, columns[0].tolist(), columns[1].tolist(), strict=True)
    ]


def merged(runs: Sequence[Waveform]) -> list[Waveform]:
    """The runs in order of time, each once: a redelivered one is dropped."""
    return sorted({(run.observed_at, run.samples): run for run in runs}.values(), key=lambda run: run.observed_at)
