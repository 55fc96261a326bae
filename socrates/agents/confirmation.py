"""The word that deleting for good asks for."""

from socrates.agents.failures import RefusedError

CONFIRMED = "DELETE"


def require_confirmation(given: str) -> None:
    """Raises RefusedError (NOT_CONFIRMED) for anything but `DELETE` in exactly these letters."""
    if given != CONFIRMED:
        raise RefusedError(
            "NOT_CONFIRMED",
            f"nothing brings back what is deleted for good: say {CONFIRMED!r} as confirmation",
            "confirmation",
        )
