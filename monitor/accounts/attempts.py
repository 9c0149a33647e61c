"""How often somebody may try to log in. Guessing gets slow, and nobody can lock somebody else out.

| counted for | free | then a wait of |
|---|---|---|
| a login from one address | 5 wrong tries | 5 s, doubled with each further one, to 5 minutes |
| the same, where the login is under attack: 50 wrong tries from all addresses | 1 | the same |
| an address, over all logins | 30 | 5 s, doubled, to 1 minute |

There is no wait for a login as such: somebody who guesses at `anna` from other places never keeps Anna out, who comes
from an address of her own and knows her password. Guessers get slower all the same, each at its second try. What is
left to them is one try in five minutes from each address that they have.

A try counts as wrong from its beginning, so that a thousand at once are no way around it, and is taken back when it was
right. A try that has to wait does not count. An hour without a further wrong try, and it is forgotten. An address is an
IPv4 address or the half of an IPv6 address that a provider gives to one customer. All of it is in memory and bounded:
beyond 10,000 of a kind the one that was counted longest ago is forgotten.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

from drivers.clock import Clock
from drivers.errors import TooManyAttempts

_MOST = 10_000
_FORGOTTEN_AFTER = 3600.0
"""Seconds."""
_FIRST_WAIT = 5.0
_ATTACKED = 50
"""Wrong tries at a login, from all addresses."""


class _Limit(NamedTuple):
    free: int
    """Wrong tries without a wait."""
    longest: float
    """Seconds."""

    def wait(self, wrong: int) -> float:
        if wrong < self.free:
            return 0.0
        return min(self.longest, _FIRST_WAIT * 2.0 ** min(wrong - self.free, 30))


_PAIR = _Limit(5, 300.0)
_PAIR_ATTACKED = _Limit(1, 300.0)
_ADDRESS = _Limit(30, 60.0)


class _Tries:
    """Those of one login, address or both."""

    __slots__ = ("at", "told", "until", "wrong")

    def __init__(self) -> None:
        self.wrong = 0
        self.at = 0.0
        """When the last one was counted."""
        self.until = 0.0
        """The end of the wait."""
        self.told = True
        """Whether somebody was told of this wait."""


_K = TypeVar("_K", bound=Hashable)


class _Table(Generic[_K]):
    """Tries by what they are counted for, those counted last at the end."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._tries: OrderedDict[_K, _Tries] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tries)

    def of(self, key: _K, now: float) -> _Tries | None:
        """What is not forgotten."""
        while self._tries and next(iter(self._tries.values())).at + _FORGOTTEN_AFTER <= now:
            self._tries.popitem(last=False)
        return self._tries.get(key)

    def count(self, key: _K, now: float) -> _Tries:
        """One more."""
        tries = self.of(key, now) or self._tries.setdefault(key, _Tries())
        self._tries.move_to_end(key)
        if len(self._tries) > self._most:
            self._tries.popitem(last=False)
        tries.wrong += 1
        tries.at = now
        return tries

    def take_back(self, key: _K, now: float) -> None:
        """One of them was right: there is nothing to wait for, until the next one is wrong."""
        if tries := self.of(key, now):
            tries.wrong -= 1
            tries.until = now

    def forget(self, key: _K) -> None:
        self._tries.pop(key, None)


class Attempts:
    """Those at one station."""

    def __init__(self, clock: Clock, *, most: int = _MOST) -> None:
        self._clock = clock
        self._pairs: _Table[tuple[str, str]] = _Table(most)
        self._logins: _Table[str] = _Table(most)
        self._addresses: _Table[str] = _Table(most)

    @property
    def held(self) -> int:
        """How many are in memory."""
        return len(self._pairs) + len(self._logins) + len(self._addresses)

    def begin(self, login: str, address: str) -> None:
        """Count a try. Raises TooManyAttempts, and counts none, where it has to wait."""
        now = self._clock.monotonic()
        place = _place(address)
        waits = [
            tries
            for tries in (self._pairs.of((login, place), now), self._addresses.of(place, now))
            if tries is not None and tries.until > now
        ]
        if waits:
            first = not all(tries.told for tries in waits)
            for tries in waits:
                tries.told = True
            raise TooManyAttempts(max(tries.until for tries in waits) - now, first=first)
        attacked = self._logins.count(login, now).wrong > _ATTACKED
        _set_wait(self._pairs.count((login, place), now), _PAIR_ATTACKED if attacked else _PAIR)
        _set_wait(self._addresses.count(place, now), _ADDRESS)

    def succeeded(self, login: str, address: str) -> None:
        """The try that was begun was right."""
        now = self._clock.monotonic()
        place = _place(address)
        self._pairs.forget((login, place))
        self._logins.take_back(login, now)
        self._addresses.take_back(place, now)


def _set_wait(tries: _Tries, limit: _Limit) -> None:
    wait = limit.wait(tries.wrong)
    tries.until = tries.at + wait
    tries.told = wait == 0.0


def _place(address: str) -> str:
    """Addresses that one guesser has at will are one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((int(ip), 64), strict=False))
