"""An API key as v1 stored it: not encrypted at all, but in Base64, beside a hash that recognises it.

What reads such a key and what only counts them, the import, share these two rules.
"""

import base64
import hashlib
import hmac


def key_hash(key: str) -> str:
    """The lower-case hexadecimal SHA-256 of a key. Keys are random enough that nobody guesses one from it."""
    return hashlib.sha256(key.encode()).hexdigest()


def is_key(candidate: str, expected_hash: str) -> bool:
    """Whether `candidate` is the key with this hash, compared in constant time."""
    return hmac.compare_digest(key_hash(candidate).encode(), expected_hash.encode(errors="replace"))


def decoded(stored: str) -> str:
    """The text in strict, padded Base64. Raises ValueError, which never repeats it, for anything else."""
    try:
        return base64.b64decode(stored, validate=True).decode()
    except ValueError:
        pass
    raise ValueError("this is not Base64 of UTF-8 text")


def is_readable(stored: str, expected_hash: str) -> bool:
    """Whether anybody who sees `stored` has the key."""
    try:
        return is_key(decoded(stored), expected_hash)
    except ValueError:
        return False
