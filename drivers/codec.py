"""What a codec is, and what a driver says of itself.

A codec turns bytes into events and does nothing else: it never opens, sleeps or logs, and it never raises on what a
line may bring. What it cannot decode it counts, drops, and goes on at the next frame.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict

from drivers.events import Event, Validity


class NoOptions(BaseModel):
    """The options of a driver that has none; the base of those that have."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


@dataclass(slots=True)
class Counters:
    """What has gone through a codec since it was made."""

    bytes: int = 0
    frames: int = 0
    """Frames that were decoded."""
    rejected: int = 0
    """Frames refused, and runs of bytes between frames that belong to none. Bytes before the first frame of a link
    are not counted: a recorder joins a stream in the middle."""


class Codec(ABC):
    """Bytes in, events out. One instance serves one device; `reset` is called when its link is new."""

    def __init__(self) -> None:
        self.counters = Counters()

    @abstractmethod
    def feed(self, data: bytes, received_at: int) -> list[Event]:
        """The events that `data` completes.

        `data` is whatever came, split anywhere; for message transports it is one whole message. `received_at` is UTC
        nanoseconds. Memory stays bounded whatever comes.
        """

    def request(self, now: float) -> bytes | None:  # noqa: ARG002 - streaming protocols ask for nothing
        """The next bytes to send at the monotonic time `now`, or None; polled protocols override it.

        Called several times a second; the codec keeps its own pace. Every byte string it can return is listed in the
        driver's `requests`.
        """
        return None

    @abstractmethod
    def reset(self) -> None:
        """Forget half a frame: the link is new. What tells an old measurement from a new one is kept."""


@dataclass(frozen=True, slots=True)
class SerialLine:
    """Parameters of a serial line, in pyserial's own terms."""

    baudrate: int = 9600
    bytesize: Literal[5, 6, 7, 8] = 8
    parity: Literal["N", "E", "O", "M", "S"] = "N"
    stopbits: Literal[1, 2] = 1
    xonxoff: bool = False
    rtscts: bool = False
    dsrdtr: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """A documented frame and what it says."""

    data: bytes
    gives: tuple[tuple[str, float | None, Validity], ...]
    """(vital, value, validity) of the readings, in order."""
    source: str
    """Whose bytes these are: a manual and its page, a capture, or "built by the rule" where neither exists."""
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """All that the rest of the program needs to know of a protocol. Its name is its module's name."""

    name: str
    title: str
    """What people at the page call such a device, in a few words."""
    devices: tuple[str, ...]
    """Makers and models known to speak it."""
    make_codec: Callable[..., Codec]
    """Called with one instance of `options`."""
    options: type[BaseModel] = NoOptions
    vitals: tuple[str, ...]
    waveforms: tuple[str, ...] = ()
    transports: tuple[Literal["serial", "tcp", "mqtt", "file"], ...]
    line: SerialLine = field(default_factory=SerialLine)
    requests: Mapping[bytes, str] = field(default_factory=dict)
    """Every byte string that may ever be sent, and what it reads. None may start a measurement, change a setting or
    touch therapy."""
    polled: bool = False
    """The device speaks only when asked: `Codec.request` is called."""
    checksum: str = ""
    """The check that each frame carries, in words; empty where the protocol has none."""
    confidence: Literal["A", "B", "C"]
    """A: the maker's document or verified sample frames; B: two independent sources; C: one, or thinly checked."""
    source: str
    examples: tuple[Example, ...]
