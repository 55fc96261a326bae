"""What `import socrates` gives, and what it costs."""

import json
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

import socrates
from socrates import caching, config, errors
from socrates.knowledge.knowledge_base import KnowledgeBase

REPOSITORY = Path(__file__).parents[2]
HEAVY = ["sqlalchemy", "pydantic", "pydantic_settings", "alembic", "rich", "typer", "aiosqlite", "asyncio", "sqlite3"]
HEAVIER = {"numpy", "chromadb", "torch", "sentence_transformers", "pypdf", "docx"}


def loaded_by(statement: str) -> set[str]:
    """The modules that a new Python has loaded after `statement`."""
    run = subprocess.run(
        [sys.executable, "-c", f"{statement}; import sys, json; print(json.dumps(sorted(sys.modules)))"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    return set(json.loads(run.stdout))


def test_the_public_names_are_these() -> None:
    assert set(socrates.__all__) == {
        "AlreadyExistsError",
        "BusyError",
        "CacheConfig",
        "Caller",
        "ClosedError",
        "ConfigurationError",
        "ConflictError",
        "DatabaseError",
        "DocumentError",
        "Emitter",
        "EventType",
        "InvalidValueError",
        "LLMClient",
        "LLMConfigurationError",
        "LLMError",
        "LoginRefusedError",
        "MigrationError",
        "NewEntry",
        "NewMaturityEvent",
        "NewMessage",
        "NewSpec",
        "NotFoundError",
        "Orchestrator",
        "QuotaExceededError",
        "SchemaError",
        "SerializationError",
        "Settings",
        "SocratesError",
        "Store",
        "ThrottledError",
        "UnitOfWork",
        "__version__",
        "brief",
        "bypassed",
    }
    assert dir(socrates) == sorted(socrates.__all__)


@pytest.mark.parametrize("name", socrates.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    assert getattr(socrates, name)


def test_public_names_are_the_things_themselves() -> None:
    assert socrates.Settings is config.Settings
    assert socrates.CacheConfig is config.CacheConfig
    assert socrates.bypassed is caching.bypassed
    assert socrates.MigrationError is errors.MigrationError


def test_the_knowledge_base_can_be_had_where_its_extra_is_installed() -> None:
    assert socrates.KnowledgeBase is KnowledgeBase
    assert "KnowledgeBase" not in socrates.__all__  # or a star import would fail without the extra


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        socrates.Nothing  # noqa: B018
    assert not hasattr(socrates, "Nothing")


def test_a_star_import_gives_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from socrates import *", names)
    assert set(socrates.__all__) <= set(names)


def test_the_version_is_that_of_the_distribution() -> None:
    assert socrates.__version__ == version("socrates")


@pytest.mark.parametrize("module", HEAVY)
def test_the_import_loads_nothing_heavy(module: str) -> None:
    assert module not in loaded_by("import socrates")


def test_neither_the_command_nor_the_synchronous_store_loads_what_only_knowledge_needs() -> None:
    assert not loaded_by("import socrates.cli.main, socrates.sync").intersection(HEAVIER)


def test_agents_and_the_client_of_models_can_be_had_without_what_an_extra_brings() -> None:
    loaded = loaded_by("from socrates import Caller, EventType, LLMClient, Orchestrator, brief; import socrates.sync")
    assert not loaded.intersection({"anthropic", "httpx2", "cryptography", *HEAVIER})


def test_an_error_class_loads_nothing_heavy_either() -> None:
    assert not loaded_by("from socrates import SocratesError").intersection(HEAVY)


def test_the_import_takes_less_than_half_a_second() -> None:
    def seconds(statement: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], cwd=REPOSITORY, check=True)
        return time.perf_counter() - began

    assert min(seconds("import socrates") for _ in range(3)) - min(seconds("pass") for _ in range(3)) < 0.5
