"""The two forms in which a v1 database can hold an API key, and the rule by which they are told apart.

Form A is what v1 always wrote: Base64. Form B is what it meant to write, a Fernet token under a secret from the
environment or, without one, under a default that everybody can read in its source. Only builds that somebody mended
wrote B. A guess is accepted when its hash is the one that v1 kept beside it, and only then.
"""

import base64
from collections.abc import Iterable, Iterator
from contextlib import suppress

from socrates.plain_keys import decoded, is_key

TOKEN_PREFIX = "gAAAA"  # noqa: S105
"""How every Fernet token begins."""

# v1's source; llm-client, 9.2.
DEFAULT_SECRET = "default-insecure-key-change-in-production"  # noqa: S105
SALT = b"socrates-salt"
ITERATIONS = 100_000


def find_key(stored: str, expected_hash: str, derived_keys: Iterable[bytes]) -> str:
    """The key that v1 stored. `derived_keys`: PBKDF2 of each secret it may be under, with the salt above.

    Raises ValueError, which repeats nothing of it, when no form fits. Tokens need the package cryptography.
    """
    for candidate in _candidates(stored, derived_keys):
        if is_key(candidate, expected_hash):
            return candidate
    raise ValueError("it is in none of v1's forms, or not the key that its hash belongs to")


def _candidates(stored: str, derived_keys: Iterable[bytes]) -> Iterator[str]:
    if stored.startswith(TOKEN_PREFIX):
        yield from _from_token(stored, derived_keys)
    with suppress(ValueError):  # the next form's turn
        yield decoded(stored)


def _from_token(stored: str, derived_keys: Iterable[bytes]) -> Iterator[str]:
    from cryptography.fernet import Fernet, InvalidToken  # noqa: PLC0415 - an extra, and slow to load

    for derived in derived_keys:
        with suppress(InvalidToken, ValueError):  # the next secret's turn
            yield Fernet(base64.urlsafe_b64encode(derived)).decrypt(stored.encode()).decode()
