"""Finding frames in a stream that may be split, noisy or joined in the middle; one resynchronising loop for all.

A protocol says only how long a frame at a given place is. Everything else - waiting for the rest, skipping what is
no frame, counting it, staying bounded - is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from drivers.codec import Counters

INCOMPLETE = 0
"""A frame may start here, and more bytes are needed to tell."""
NO_FRAME = -1
"""No frame starts here."""

FrameLength = Callable[[bytearray, int], int]
"""`(buffer, start)` -> length of the whole, checked frame that starts there, or INCOMPLETE, or NO_FRAME."""


class Framer:
    """Cuts a stream into frames; counts frames and the runs of bytes that belong to none."""

    def __init__(self, frame_length: FrameLength, longest: int, counters: Counters) -> None:
        """`longest` is the greatest length of a frame in bytes: what claims to be longer is no frame."""
        self._frame_length = frame_length
        self._longest = longest
        self._counters = counters
        self._buffer = bytearray()
        self._joined = False
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The whole frames that `data` completes, in order."""
        buffer = self._buffer
        counters = self._counters
        counters.bytes += len(data)
        buffer += data
        start, end = 0, len(buffer)
        frames = []
        while start < end:
            length = self._frame_length(buffer, start)
            if length > 0:
                frames.append(bytes(buffer[start : start + length]))
                start += length
                counters.frames += 1
                self._joined = True
                self._skipping = False
            elif length == INCOMPLETE and end - start < self._longest:
                break
            else:
                if self._joined and not self._skipping:
                    counters.rejected += 1
                self._skipping = True
                start += 1
        del buffer[:start]
        return iter(frames)

    def reset(self) -> None:
        """Forget what is pending: the link is new."""
        self._buffer.clear()
        self._joined = False
        self._skipping = False


def sum8(data: bytes | bytearray) -> int:
    """The low byte of the sum of all bytes."""
    return sum(data) & 0xFF
