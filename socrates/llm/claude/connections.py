"""Connections to the Messages API, over which keys go to nobody else."""

from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from socrates.errors import ConfigurationError, LLMConfigurationError

if TYPE_CHECKING:  # it takes a second to load, and is an extra
    import anthropic

VENDOR = "https://api.anthropic.com"
"""Said explicitly, because the SDK would look into the environment again, and take what it finds unchecked."""

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def new_connections(timeout: float) -> "anthropic.DefaultAsyncHttpxClient":
    """Connections for all users' requests. Takes a second, for it loads the SDK and the certificates.

    Redirects are not followed: they would carry the key to wherever they point. Raises LLMConfigurationError without
    the package, and for proxies and certificates of the environment's that cannot be used.
    """
    try:
        import anthropic  # noqa: PLC0415 - an extra, and slow to load
    except ModuleNotFoundError as error:
        raise LLMConfigurationError(
            "calling Claude needs a package: pip install 'socrates[llm]'", "CONFIGURATION_ERROR"
        ) from error
    # The users' requests share connections, and nothing else: no cookies.
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
    try:
        # Plain http stays on this machine: a proxy that the environment names would see the key.
        return anthropic.DefaultAsyncHttpxClient(
            follow_redirects=False, timeout=timeout, cookies=no_cookies, mounts={"http://": None}
        )
    except Exception as error:  # noqa: BLE001 - each of these variables has errors of its own
        reason = type(error).__name__
    # Out of reach of the error, which can repeat a variable: a proxy's has a password.
    raise LLMConfigurationError(
        f"no connection can be made as the environment says ({reason}): look at HTTPS_PROXY, ALL_PROXY, NO_PROXY, "
        "SSL_CERT_FILE and SSL_CERT_DIR",
        "CONFIGURATION_ERROR",
    )


def new_client(secret: str, base_url: str, http: "anthropic.DefaultAsyncHttpxClient") -> "anthropic.AsyncAnthropic":
    """A client for one key. It tries once only."""
    import anthropic  # noqa: PLC0415 - an extra, and slow to load

    return anthropic.AsyncAnthropic(
        api_key=secret, base_url=base_url, timeout=http.timeout, max_retries=0, http_client=http
    )


def safe_url(url: str) -> str:
    """Raises ConfigurationError for what is no URL, and for one to which keys would go in the clear."""
    try:
        parts = urlsplit(url)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)
        # A user's name in the URL would be sent in the place of the key.
        if parts.hostname and parts.port != 0 and is_safe and "@" not in parts.netloc:
            return url
    except ValueError:  # the reason is told below, and would repeat a password
        pass
    raise ConfigurationError(
        "the URL of Claude's API (SOCRATES_CLAUDE_BASE_URL, ANTHROPIC_BASE_URL) takes https://, or http:// on this "
        "machine, a host and nothing of a user: API keys are sent to it"
    )
