"""v1's two forms of a stored key, by the test vectors of the specification (llm-client, 9.2)."""

import base64
import hashlib

import pytest
from cryptography.fernet import Fernet

from socrates.llm.v1_keys import DEFAULT_SECRET, ITERATIONS, SALT, find_key
from socrates.plain_keys import decoded, is_readable, key_hash
from tests.unit.llm.vaults import PLAIN, TOKEN, V1_SECRET


def derived(secret: str) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", secret.encode(), SALT, ITERATIONS, 32)


def token(key: str, secret: str) -> str:
    return Fernet(base64.urlsafe_b64encode(derived(secret))).encrypt(key.encode()).decode()


def test_the_hash_is_that_of_the_specification() -> None:
    assert key_hash("sk-example-123") == "751ab231f93a6d0d535aaa68c2419ce9fd774131a04a35548c7f4765b4404855"


@pytest.mark.parametrize(
    ("secret", "fernet_key"),
    [
        (DEFAULT_SECRET, "RsI1ertxpfon-Nlx31yklS49HzhK8E9-MWGobTTbbso="),
        (V1_SECRET, "W2g-4esN70zriGo1E6BsnYpZ9S8lhgstHRV_479XXeI="),
    ],
)
def test_the_derived_keys_are_those_of_the_specification(secret: str, fernet_key: str) -> None:
    assert base64.urlsafe_b64encode(derived(secret)).decode() == fernet_key


def test_both_forms_are_read() -> None:
    assert find_key(PLAIN[0], key_hash(PLAIN[1]), ()) == PLAIN[1]
    assert find_key(TOKEN[0], key_hash(TOKEN[1]), (derived(DEFAULT_SECRET), derived(V1_SECRET))) == TOKEN[1]
    assert find_key(token("sk-1", DEFAULT_SECRET), key_hash("sk-1"), (derived("x"), derived(DEFAULT_SECRET))) == "sk-1"


@pytest.mark.parametrize(
    "stored", ["", "c2stZXhhbXBsZS0xMjM", "c2st ZXhhbXBsZS0xMjM=", "c2stZXhhbXBsZS0xMjM=\n", "/w==", "é", "gAAAA"]
)
def test_what_is_in_neither_form_is_refused_and_not_repeated(stored: str) -> None:
    with pytest.raises(ValueError, match="in none of v1's forms") as refusal:
        find_key(stored, key_hash("sk-example-123"), (derived(V1_SECRET),))
    assert not stored or stored not in str(refusal.value)
    assert not is_readable(stored, key_hash("sk-example-123"))


@pytest.mark.parametrize("expected", ["", "no hash", "é", key_hash("sk-other"), key_hash("sk-example-123").upper()])
def test_only_the_exact_hash_makes_a_guess_the_key(expected: str) -> None:
    assert not is_readable(PLAIN[0], expected)
    assert is_readable(PLAIN[0], key_hash(PLAIN[1]))


def test_a_refusal_of_base64_does_not_repeat_it() -> None:
    with pytest.raises(ValueError, match="not Base64") as refusal:
        decoded("sk-was-never-encoded")
    assert refusal.value.__context__ is None
    assert "never-encoded" not in str(refusal.value)
