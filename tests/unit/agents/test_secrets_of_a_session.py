"""A session that uses every secret there is: none shows in what is answered, told, logged or stored."""

import logging
import traceback
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from socrates.agents.catalogue import AGENTS
from tests.support.llm import KEY
from tests.support.systems import fresh_system

PASSCODE, LATER, WRONG = "correct horse battery", "wrong horse battery staple", "no horse at all"
OWN_KEY, OTHER_KEY = "sk-ant-own-0123456789", "sk-oai-own-9876543210"
SECRET = "a secret for the keys of users, long enough"
SECRETS = (PASSCODE, LATER, WRONG, OWN_KEY, OTHER_KEY, SECRET, KEY)

REQUESTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("user_manager", "create_user", {"passcode": PASSCODE}),
    ("user_manager", "create_user", {"passcode": [PASSCODE]}),
    ("user_manager", "create_user", {"passcode": PASSCODE, "passcode_hash": PASSCODE}),
    ("user_manager", "authenticate", {"passcode": WRONG}),
    ("user_manager", "change_passcode", {"old_passcode": PASSCODE, "new_passcode": LATER}),
    ("user_manager", "get_user", {"passcode": LATER}),
    ("user_manager", "set_subscription", {"username": "ada", "tier": "enterprise"}),
    ("multi_llm", "add_api_key", {"provider": "claude", "api_key": OWN_KEY}),
    ("multi_llm", "add_api_key", {"provider": "openai", "api_key": OTHER_KEY}),
    ("multi_llm", "add_api_key", {"provider": "openai", "api_key": OTHER_KEY + "\n\0"}),
    ("multi_llm", "add_api_key", {"provider": "ollama", "api_key": OTHER_KEY}),
    ("multi_llm", "set_default_provider", {"provider": "claude", "settings": {"api_key": OWN_KEY}}),
    ("multi_llm", "get_provider_config", {}),
    ("project_manager", "create_project", {"project_name": "Reading Room"}),
    ("system_monitor", "check_health", {}),
    ("multi_llm", "remove_api_key", {"provider": "claude"}),
    ("system_monitor", "check_health", {}),
    ("system_monitor", "get_stats", {}),
    ("user_manager", "log_out", {}),
)


async def test_no_secret_of_a_session_shows(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    settings = {"encryption_key": SecretStr(SECRET), "administrators": frozenset({"ada"})}
    async with fresh_system(tmp_path, settings=settings) as lab:
        succeeded = 0
        for agent, action, fields in REQUESTS:
            response = await lab.ask(agent, action, **fields)
            succeeded += response.status == "success"
            shown += [repr(response), response.model_dump_json()]
        assert succeeded == len(REQUESTS) - 7
        hashes = [(await lab.store.users.get("ada")).passcode_hash]
        stored = await lab.store.llm.keys("ada")
        hashes += [value for key in stored for value in (key.key_hash, key.encrypted_key)]
        assert len(hashes) == 3
        assert len({request.key_digest for request in lab.server.requests}) == 2  # with ada's key, and without
        shown += [event.model_dump_json() for event in lab.heard]
        shown += [repr(lab.system.services), *(repr(vars(agent)) for agent in lab.system.agents.values())]
        shown += _forms()
        contents = _written(tmp_path)
    shown += [caplog.text, *("".join(traceback.format_exception(*r.exc_info)) for r in caplog.records if r.exc_info)]
    for secret in (*SECRETS, *hashes):
        assert not [text for text in shown if secret in text], secret
    for secret in SECRETS:
        assert secret.encode() not in contents, secret


def _written(directory: Path) -> bytes:
    """All of the database, as it is in its files."""
    return b"".join(path.read_bytes() for path in directory.glob("projects.db*"))


def _forms() -> list[str]:
    """The requests in their forms, as a debugger or a log would show them."""
    kinds = {agent.name: agent for agent in AGENTS}
    found = []
    for agent, action, fields in REQUESTS:
        form = kinds[agent].request_of(action)
        try:
            request = form.model_validate({"action": action, "current_user": "ada", **fields})
        except ValueError as error:
            found.append(str(error))
        else:
            found += [repr(request), request.model_dump_json()]
    return found
