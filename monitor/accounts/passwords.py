"""Passwords: hashed with argon2id, so that whoever reads the file of accounts has none of them.

The parameters are the library's defaults, which are those that RFC 9106 recommends second, for less memory: 64 MiB, 3
passes, 4 lanes, 128 bits of salt, a tag of 256 bits. What a password has to be is after NIST SP 800-63B: long, and
free in what it is made of.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import unicodedata
from typing import TYPE_CHECKING

from drivers.errors import AccountRefused

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST = 12
"""Characters."""
LONGEST = 1024
"""Bytes."""
_AT_ONCE = 2
"""So that logins take 128 MiB and two cores at most."""
_WAITING = 16
"""Logins that are verified or wait for their turn: at some 0.15 s each nobody waits for much longer than a second."""


class Passwords:
    """Hashes and verifies, in threads, two at a time."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """`hasher` is argon2's with its defaults; a test takes a quick one."""
        if hasher is None:
            from argon2 import PasswordHasher  # noqa: PLC0415 - most commands need none, and it takes 40 ms

            hasher = PasswordHasher()
        self._hasher = hasher
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._nobodys = _nobodys(hasher)

    async def hash(self, password: str, *not_equal_to: str) -> str:
        """The hash to be kept. Raises AccountRefused for a password that may not be one."""
        normal = _allowed(password, not_equal_to)
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, normal)

    @property
    def busy(self) -> bool:
        """Whether so many are to be verified that another one had to wait for long."""
        return self._waiting >= _WAITING

    async def verify(self, kept: str | None, password: str) -> bool:
        """Whether that is the password; without a hash it takes the same time, and is not."""
        self._waiting += 1
        try:
            async with self._turn:
                right = await asyncio.to_thread(self._verify, kept or self._nobodys, password)
        finally:
            self._waiting -= 1
        return right and kept is not None

    async def renewed(self, kept: str, password: str) -> str | None:
        """The hash of the right password by the present parameters; None where it is kept by these."""
        if not self._hasher.check_needs_rehash(kept):
            return None
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, _normal(password))

    def _verify(self, kept: str, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415 - as above

        try:
            # No password is that long, and none has half a surrogate pair: these take the time of a wrong one.
            return self._hasher.verify(kept, _normal(password)[: LONGEST + 1].encode(errors="surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False


def _normal(password: str) -> str:
    """The same for the same characters, however a keyboard composes them."""
    return unicodedata.normalize("NFC", password)


def _allowed(password: str, not_equal_to: tuple[str, ...]) -> str:
    normal = _normal(password)
    if len(normal) < SHORTEST:
        raise AccountRefused(f"a password has at least {SHORTEST} characters")
    try:
        length = len(normal.encode())
    except UnicodeEncodeError:
        raise AccountRefused("the password has a character that no text can have") from None
    if length > LONGEST:
        raise AccountRefused(f"a password has at most {LONGEST} bytes")
    if normal.casefold() in {_normal(text).casefold() for text in not_equal_to}:
        raise AccountRefused("a password is not the login and not the name")
    return normal


def _nobodys(hasher: PasswordHasher) -> str:
    """A hash of no password, by the same parameters."""

    def random(length: int) -> str:
        return base64.b64encode(secrets.token_bytes(length)).rstrip(b"=").decode()

    return (
        f"$argon2id$v=19$m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
        f"${random(hasher.salt_len)}${random(hasher.hash_len)}"
    )
