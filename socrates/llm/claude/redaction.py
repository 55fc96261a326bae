"""Keeping keys out of what a provider repeats."""

from pydantic import SecretStr


def redacted(key: SecretStr, told: str | None) -> str | None:
    """What comes back from the provider, and is stored or shown, without the key in case that it repeats it."""
    return None if told is None else told.replace(key.get_secret_value(), "…")
