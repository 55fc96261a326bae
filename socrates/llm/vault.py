"""Encrypts API keys and opens them again.

A stored key is ``v2:`` and the URL-safe Base64 of a random salt (16 bytes), a random nonce (12 bytes) and what AES-GCM
makes of the key. The AES key is derived from the owner's secret and that salt. User and provider are authenticated
too, so that nobody who can only write to the database gives one user's key to another.

Everything fails closed: there is no default secret, and nothing is ever stored in another form.
"""

import asyncio
import base64
import hashlib
import json
import os
from collections import OrderedDict

from pydantic import SecretStr

from socrates.errors import ConfigurationError, DamagedRecordError, InvalidValueError
from socrates.llm import v1_keys
from socrates.views import StoredKey

PREFIX = "v2:"

ITERATIONS = 600_000
"""Of PBKDF2 with HMAC-SHA-256, as OWASP's Password Storage Cheat Sheet asks for (2023)."""

SHORTEST_SECRET = 16
"""Characters. A secret that people can remember is guessed in spite of the iterations."""

_SALT_BYTES = 16
_NONCE_BYTES = 12  # NIST SP 800-38D: the length that AES-GCM is made for
_TAG_BYTES = 16
_AES_KEY_BYTES = 32
_DERIVED_KEPT = 256
_HOW_TO_MAKE_ONE = "python -c 'import secrets; print(secrets.token_urlsafe(32))' makes a good one, to be kept safe"


class KeyVault:
    """Encrypts and opens under one secret. Deriving takes a few tenths of a second, once per record, in a thread."""

    def __init__(
        self, secret: SecretStr | None, *, iterations: int = ITERATIONS, setting: str = "SOCRATES_ENCRYPTION_KEY"
    ) -> None:
        """`setting` is what messages call the secret. Fewer `iterations` are for tests.

        Raises ConfigurationError without a secret that is UTF-8 text, and without the package cryptography.
        """
        if secret is None or not secret.get_secret_value():
            raise ConfigurationError(
                f"API keys are encrypted, and there is no secret for it: set {setting}. {_HOW_TO_MAKE_ONE}"
            )
        if not _is_utf8(secret):
            raise ConfigurationError(f"{setting} is not UTF-8 text. {_HOW_TO_MAKE_ONE}")
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - an extra, and slow to load
        except ModuleNotFoundError as error:
            raise ConfigurationError("encrypting API keys needs a package: pip install 'socrates[llm]'") from error
        self._aes = AESGCM
        self._secret = secret
        self._iterations = iterations
        self._setting = setting
        self._derived: OrderedDict[tuple[str, bytes, int], bytes] = OrderedDict()
        self._deriving: dict[tuple[str, bytes, int], asyncio.Task[bytes]] = {}

    def __repr__(self) -> str:
        return f"KeyVault({self._setting})"

    def require_long_secret(self) -> None:
        """Raises ConfigurationError when the secret is too short to encrypt under; to open v1's it need not be long."""
        if len(self._secret.get_secret_value()) < SHORTEST_SECRET:
            raise ConfigurationError(
                f"{self._setting} is too short to be safe: it takes {SHORTEST_SECRET} characters or more. "
                f"{_HOW_TO_MAKE_ONE}"
            )

    async def encrypt(self, user_id: str, provider: str, key: SecretStr) -> str:
        """The stored form of this user's key for this provider.

        Raises ConfigurationError when the secret is too short, InvalidValueError for what can be no key.
        """
        self.require_long_secret()
        if not key.get_secret_value() or not _is_utf8(key):
            raise InvalidValueError("the API key is empty, or holds a lone surrogate, which no UTF-8 text can hold")
        salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
        cipher = self._aes(await self._derive(self._secret.get_secret_value(), salt, self._iterations))
        sealed = cipher.encrypt(nonce, key.get_secret_value().encode(), _bound_to(user_id, provider))
        return PREFIX + base64.urlsafe_b64encode(salt + nonce + sealed).decode()

    async def decrypt(self, stored: StoredKey) -> SecretStr:
        """The key itself, whether it was encrypted here or stored by v1.

        Raises DamagedRecordError when this secret does not open it, or nobody's would.
        """
        if stored.encrypted_key.startswith(PREFIX):
            return await self._open(stored)
        is_token = stored.encrypted_key.startswith(v1_keys.TOKEN_PREFIX)
        secrets = (self._secret.get_secret_value(), v1_keys.DEFAULT_SECRET) if is_token else ()
        derived = [await self._derive(secret, v1_keys.SALT, v1_keys.ITERATIONS) for secret in secrets]
        try:
            return SecretStr(v1_keys.find_key(stored.encrypted_key, stored.key_hash, derived))
        except ValueError as error:
            failure = DamagedRecordError(f"{name_of(stored)}, stored by v1, cannot be read: {error}")
        raise failure

    async def _open(self, stored: StoredKey) -> SecretStr:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - an extra, and slow to load

        try:
            sealed = base64.b64decode(stored.encrypted_key.removeprefix(PREFIX), altchars=b"-_", validate=True)
        except ValueError:
            sealed = b""
        nonce_at, text_at = _SALT_BYTES, _SALT_BYTES + _NONCE_BYTES
        if len(sealed) < text_at + _TAG_BYTES:
            raise DamagedRecordError(f"{name_of(stored)} is not whole. Store it again, or restore a backup")
        derived = await self._derive(self._secret.get_secret_value(), sealed[:nonce_at], self._iterations)
        bound_to = _bound_to(stored.user_id, stored.provider)
        try:
            return SecretStr(self._aes(derived).decrypt(sealed[nonce_at:text_at], sealed[text_at:], bound_to).decode())
        except (InvalidTag, UnicodeDecodeError):
            pass
        raise DamagedRecordError(
            f"{name_of(stored)} cannot be opened: {self._setting} is not the secret it was encrypted under, or the row "
            "was tampered with. Set the right secret, or store the key again"
        )

    async def _derive(self, secret: str, salt: bytes, iterations: int) -> bytes:
        """PBKDF2-HMAC-SHA-256, of which the last few hundred results are kept."""
        wanted = (secret, salt, iterations)
        derived = self._derived.pop(wanted, None)
        if derived is None:
            # Shared: whoever stops waiting stops nobody else.
            derived = await asyncio.shield(self._deriving.get(wanted) or self._begin_to_derive(wanted))
        self._derived[wanted] = derived  # the latest is the last to go
        if len(self._derived) > _DERIVED_KEPT:
            self._derived.popitem(last=False)
        return derived

    def _begin_to_derive(self, wanted: tuple[str, bytes, int]) -> "asyncio.Task[bytes]":
        secret, salt, iterations = wanted
        task = self._deriving[wanted] = asyncio.create_task(
            asyncio.to_thread(hashlib.pbkdf2_hmac, "sha256", secret.encode(), salt, iterations, _AES_KEY_BYTES)
        )
        task.add_done_callback(lambda _: self._deriving.pop(wanted, None))
        return task


def name_of(stored: StoredKey) -> str:
    """What messages call a stored key: who it belongs to, and nothing that opens or recognises it."""
    return f"the API key {stored.id!r} of {stored.user_id!r} for {stored.provider!r}"


def _is_utf8(secret: SecretStr) -> bool:
    """Asked first, because Python's own exception carries the whole text."""
    try:
        secret.get_secret_value().encode()
    except UnicodeEncodeError:
        return False
    return True


def _bound_to(user_id: str, provider: str) -> bytes:
    """What is authenticated beside the key; JSON keeps ("a", "bc") from being ("ab", "c")."""
    return json.dumps([PREFIX, user_id, provider]).encode()
