"""Passcodes and what is kept of them: argon2id hashes, and v1's until their owners come by.

A passcode is taken as it is typed: not normalised, not trimmed, because v1 did neither and its hashes must go on to
fit. It may hold any character that UTF-8 has, NUL too.
"""

import asyncio
import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from argon2.profiles import RFC_9106_LOW_MEMORY

from socrates.errors import InvalidValueError

MAX_PASSCODE_BYTES = 4096
"""Of UTF-8. Hashing so many takes no longer than hashing one; without a limit a stranger could send gigabytes."""

_V1_HASH = re.compile(r"[0-9a-f]{64}")
_ARGON2ID_HASH = re.compile(
    r"\$argon2id\$v=19\$m=([1-9][0-9]{0,7}),t=([1-9][0-9]{0,2}),p=([1-9][0-9]{0,2})"
    r"\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})"
)
"""Salts of 8 to 64 bytes and digests of 16 to 64, in base64 without its padding."""

_COSTLIEST = PasswordHasher(time_cost=16, memory_cost=256 * 1024, parallelism=16)
"""A stored hash that asks for more than this, and more than our own, was not made here."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a passcode is right; and if it is, the hash to replace an outdated one by."""

    is_right: bool
    new_hash: str | None = field(default=None, repr=False)


class Passcodes:
    """Hashes and checks, in threads of its own: nothing of it holds up the event loop."""

    def __init__(self, hasher: PasswordHasher | None = None, at_once: int = 2) -> None:
        """`at_once` hashes are computed at a time, because each takes 64 MiB; further ones wait.

        The default `hasher` has the second recommended parameters of RFC 9106, chapter 4, which are meant for
        machines that cannot spare 2 GiB a hash: argon2id, 64 MiB, 3 passes, 4 lanes, 16 bytes of salt, 32 of digest.
        """
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="socrates-passcodes")

    async def hash(self, passcode: str) -> str:
        """The hash to keep of a new passcode. Raises InvalidValueError for one that cannot be."""
        objection = objection_to(passcode)
        if objection is not None:
            raise InvalidValueError(f"the passcode {objection}. Nothing was changed")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._hasher.hash, passcode)

    async def check(self, passcode: str, stored: str) -> Verdict:
        """Whether `passcode` is the one that `stored` was made of.

        `stored` is a hash of ours or of v1; nothing fits any other text. Whatever it is, one argon2 hash is computed,
        so that the time taken doesn't tell which it is; a second one only to replace a hash of fewer passes or less
        memory than today's. Raises InvalidValueError for a passcode that `hash` would refuse.
        """
        objection = objection_to(passcode)
        if objection is not None:
            raise InvalidValueError(f"the passcode {objection}")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._check, passcode, stored)

    def _check(self, passcode: str, stored: str) -> Verdict:
        if self._is_argon2id(stored):
            return self._check_argon2id(passcode, stored)
        new_hash = self._hasher.hash(passcode)
        return Verdict(True, new_hash) if _is_v1_hash_of(passcode, stored) else Verdict(False)

    def _check_argon2id(self, passcode: str, stored: str) -> Verdict:
        try:
            self._hasher.verify(stored, passcode)
        except VerifyMismatchError:
            return Verdict(False)
        outdated = self._hasher.check_needs_rehash(stored)
        return Verdict(True, self._hasher.hash(passcode) if outdated else None)

    def _is_argon2id(self, stored: str) -> bool:
        """Whether `stored` is a hash that argon2 can read and that costs no more than one of ours can."""
        found = _ARGON2ID_HASH.fullmatch(stored)
        if found is None:
            return False
        memory, passes, lanes = map(int, found.groups()[:3])
        return (
            8 * lanes <= memory <= max(_COSTLIEST.memory_cost, self._hasher.memory_cost)
            and passes <= max(_COSTLIEST.time_cost, self._hasher.time_cost)
            and lanes <= max(_COSTLIEST.parallelism, self._hasher.parallelism)
            and all(map(_is_base64, found.groups()[3:]))
        )


def objection_to(passcode: object) -> str | None:
    """What keeps `passcode` from being one, never repeating it; None if nothing does."""
    if not isinstance(passcode, str):
        return f"must be a text, not {type(passcode).__name__}"
    if not passcode:
        return "is empty"
    if len(passcode) > MAX_PASSCODE_BYTES:
        return f"is longer than {MAX_PASSCODE_BYTES} bytes of UTF-8"
    if any("\ud800" <= character <= "\udfff" for character in passcode):
        return "holds lone surrogates, which UTF-8 doesn't have"
    if len(passcode.encode()) > MAX_PASSCODE_BYTES:
        return f"is longer than {MAX_PASSCODE_BYTES} bytes of UTF-8"
    return None


def _is_v1_hash_of(passcode: str, stored: str) -> bool:
    """v1 kept the SHA-256 of the UTF-8 text, unsalted, in lower-case hexadecimal digits (v1-format, chapter 4)."""
    if _V1_HASH.fullmatch(stored) is None:
        return False
    return hmac.compare_digest(hashlib.sha256(passcode.encode()).hexdigest(), stored)


def _is_base64(text: str) -> bool:
    """Whether it is base64 as argon2 writes it: without padding, and without bits left over."""
    padded = text + "=" * (-len(text) % 4)
    return len(text) % 4 != 1 and b64encode(b64decode(padded)).decode() == padded
