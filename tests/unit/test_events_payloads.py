"""Every type of event has a payload: checked, frozen, JSON, and without secrets."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from socrates.config import LLMConfig
from socrates.errors import InvalidValueError, LLMError
from socrates.events import PAYLOADS, Emitter, Event, EventType
from socrates.events.payloads import Logged, PhaseAdvanced, checked_payload
from socrates.llm.client import LLMClient
from socrates.llm.demo.protocol import Answer, Failure
from tests.support.model_server import serving
from tests.support.stores import fresh_store

SECRET = "sk-secret-key-of-ada"
SUGGESTION = {"project_id": "p1", "content": "Loans end.", "category": "domain", "topic": "loans"}


def sample(field: FieldInfo) -> Any:
    """Some value that the field takes."""
    kind = field.annotation
    if get_origin(kind) is UnionType or type(None) in get_args(kind):
        kind = get_args(kind)[0]
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    samples = {str: "text", int: 1, float: 0.5, bool: True, Decimal: Decimal("0.000123")}
    return samples.get(kind, ("text",) if get_origin(kind) is tuple else {"nested": [1, {"deep": None}]})


def payload_of(event: EventType) -> dict[str, Any]:
    return {name: sample(field) for name, field in PAYLOADS[event].model_fields.items()}


async def told(event: EventType, payload: Mapping[str, Any]) -> Event:
    heard: list[Event] = []
    async with Emitter() as emitter:
        emitter.on(event, heard.append)
        await emitter.emit_async(event, payload)
    return heard[0]


def test_there_are_49_types_with_a_payload_each() -> None:
    assert len(EventType) == len(PAYLOADS) == 49


@pytest.mark.parametrize("event", EventType)
async def test_an_event_is_json_and_its_payload_comes_back_from_it(event: EventType) -> None:
    """D70: v1's events and responses could carry anything, domain objects too."""
    heard = await told(event, payload_of(event))

    written = json.loads(json.dumps(heard.model_dump(mode="json")))

    assert written["type"] == event.value
    assert PAYLOADS[event].model_validate(written["payload"]) == heard.payload


@pytest.mark.parametrize("event", EventType)
def test_no_payload_has_a_place_for_a_secret(event: EventType) -> None:
    suspicious = {"key", "api_key", "hash", "passcode", "password", "secret", "token"}

    assert not suspicious & set(PAYLOADS[event].model_fields)
    for name, field in PAYLOADS[event].model_fields.items():
        if isinstance(sample(field), str):
            with pytest.raises(InvalidValueError) as refused:
                checked_payload(event, payload_of(event) | {name: SecretStr(SECRET)})
            assert SECRET not in str(refused.value)
    with pytest.raises(InvalidValueError) as refused:
        checked_payload(event, payload_of(event) | {"api_key": SECRET})
    assert "api_key" in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_typed_payload_that_is_refused_quotes_nothing() -> None:
    with pytest.raises(ValidationError) as refused:
        Logged.model_validate({"message": SecretStr(SECRET), "api_key": SECRET})

    assert SECRET not in str(refused.value)


async def test_what_an_emitter_was_given_is_not_changed_and_later_changes_are_not_heard() -> None:
    """v1 wrote a timestamp into the emitter's own dict, and let all listeners share it."""
    given: dict[str, Any] = {"name": "mine", "data": {"list": [1]}}
    heard: list[Event] = []
    async with Emitter() as emitter:
        emitter.on(EventType.CUSTOM, heard.append)
        await emitter.emit_async(EventType.CUSTOM, given)
        assert given == {"name": "mine", "data": {"list": [1]}}
        given["data"]["list"].append(2)

    data = heard[0].payload.model_dump()["data"]
    assert json.dumps(data) == '{"list": [1]}'


async def test_listeners_cannot_change_what_they_share() -> None:
    event = await told(EventType.CUSTOM, {"name": "mine", "data": {"list": [1]}})

    with pytest.raises(ValidationError):
        event.payload.agent = "learning"
    with pytest.raises(TypeError):
        event.payload.data["list"] = 2  # type: ignore[attr-defined]


def test_a_suggestion_names_its_project() -> None:
    """D45: v1's suggestions named none, and all landed in one queue."""
    with pytest.raises(InvalidValueError, match="project_id"):
        checked_payload(EventType.KNOWLEDGE_SUGGESTION, {**SUGGESTION, "project_id": None})


def test_an_agent_is_named_as_it_is_routed_to() -> None:
    """D39: v1 sometimes gave an agent's display name, so that its events could not be put together."""
    assert checked_payload(EventType.AGENT_START, {"agent": "learning", "action": "x"}).agent == "learning"
    with pytest.raises(InvalidValueError, match="agent"):
        checked_payload(EventType.AGENT_START, {"agent": "User Learning", "action": "x"})


def test_a_payload_of_another_event_is_refused() -> None:
    advanced = PhaseAdvanced(project_id="p1", from_phase="discovery", to_phase="analysis", maturity_at_advancement=None)

    assert checked_payload(EventType.PHASE_ADVANCED, advanced) is advanced
    with pytest.raises(InvalidValueError, match="carries HintProvided, not PhaseAdvanced"):
        checked_payload(EventType.HINT_PROVIDED, advanced)


@pytest.mark.parametrize(
    ("event", "wrong", "field"),
    [
        (EventType.MATURITY_MILESTONE, {"project_id": "p1", "phase": "discovery", "score": 100.5}, "score"),
        (EventType.MATURITY_MILESTONE, {"project_id": "p1", "phase": "discovery", "score": float("nan")}, "score"),
        (EventType.MATURITY_MILESTONE, {"project_id": "p1", "phase": "completion", "score": 100}, "phase"),
        (EventType.CUSTOM, {"name": "mine", "data": {"when": object()}}, "data.when"),
        (EventType.USER_CREATED, {}, "username"),
        (EventType.SYSTEM_SHUTDOWN, {"reason": "x"}, "reason"),
    ],
)
def test_an_error_names_the_field(event: EventType, wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidValueError, match=field):
        checked_payload(event, wrong)


async def test_the_client_of_models_tells_the_emitter(tmp_path: Path) -> None:
    heard: list[Event] = []
    with serving(Answer("good"), Failure(400, "invalid_request_error", "no")) as server:
        async with (
            fresh_store(tmp_path, llm_config=LLMConfig(claude_base_url=server.url)) as store,
            Emitter() as emitter,
            LLMClient(store, emit=emitter.emit_async, key=SecretStr(SECRET)) as client,
        ):
            for kind in EventType:
                emitter.on(kind, heard.append)
            await client.generate_response_async("hello")
            with pytest.raises(LLMError):
                await client.generate_response_async("hello")

    assert sorted(event.type for event in heard) == ["log.error", "token.usage", "token.usage"]
    assert SECRET not in "".join(event.model_dump_json() for event in heard)
