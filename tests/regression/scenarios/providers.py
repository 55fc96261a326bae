"""Providers of models: which there are, whose key and model are used, what calls cost and may cost."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.regression.scenes import Scene, scenario
from tests.support.llm import HAIKU
from tests.support.systems import with_people, with_project, with_talk

LLM, MONITOR = "multi_llm", "system_monitor"
KEY = "sk-ant-do-not-tell-anybody-0123456789"


@scenario()
async def models_and_keys_of_each_person(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob")
    await scene.ask(LLM, "get_provider_models", provider="Claude")
    await scene.ask(LLM, "get_provider_models", provider="nobody")
    await scene.ask(LLM, "get_provider_config")
    settings = {"model": HAIKU, "monthly_budget": "12.50"}
    await scene.ask(LLM, "set_default_provider", provider="claude", settings=settings)
    await scene.ask(LLM, "set_provider_model", provider="claude", model="opus")
    await scene.ask(LLM, "set_provider_model", provider="claude", model="gpt")
    await scene.ask(LLM, "add_api_key", provider="openai", api_key=KEY)
    await scene.ask(LLM, "add_api_key", provider="openai", api_key="ключ")
    await scene.ask(LLM, "get_provider_config")
    await scene.ask(LLM, "get_provider_config", "bob")
    await scene.ask(LLM, "remove_api_key", provider="openai")
    await scene.ask(LLM, "remove_api_key", provider="openai")


@scenario()
async def what_calls_cost_and_a_budget_that_is_spent(scene: Scene) -> None:
    scene.to_real_time()
    await with_people(scene.lab, "ada", "bob")
    await with_project(scene.lab, members={"bob": "creator"})
    await with_talk(scene.lab, "p1", "Who may borrow?", "Children too.")
    call: dict[str, Any] = {"provider": "claude", "model": HAIKU, "latency_ms": 250.0}
    await scene.ask(LLM, "track_usage", **call, input_tokens=1_000_000, output_tokens=2000)
    await scene.ask(LLM, "track_usage", **call, input_tokens=7, success=False, error_message="late")
    await scene.ask(MONITOR, "track_tokens", input_tokens=30_000, output_tokens=1, total_tokens=30_001)
    await scene.ask(MONITOR, "track_tokens", input_tokens=3, total_tokens=4)
    await scene.ask(LLM, "get_usage_stats")
    await scene.ask(LLM, "get_usage_stats", "bob", provider="openai", days=7)
    await scene.ask(MONITOR, "get_stats")
    await scene.ask(MONITOR, "check_limits")
    await scene.ask(LLM, "set_default_provider", "bob", provider="claude", settings={"monthly_budget": "50"})
    async with scene.store.begin() as unit:
        # Of tomorrow, so that it counts for this month, and for the next where that begins in the midst of the scene.
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        await unit.llm.record_usage("bob", "claude", HAIKU, cost=Decimal(60), timestamp=tomorrow)
    await scene.ask("context_analyzer", "generate_summary", "bob", project_id="p1")
    await scene.ask("socratic_counselor", "generate_question", "bob", project_id="p1")
    await scene.ask(MONITOR, "check_health", "bob")
    await scene.ask(MONITOR, "get_stats", "bob")
    await scene.ask("context_analyzer", "generate_summary", project_id="p1")
    await scene.ask(MONITOR, "check_health")
    await scene.ask(MONITOR, "get_stats")
