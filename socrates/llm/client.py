"""The client that calls language models: every prompt of Socrates, asynchronous, honest about failure, accounted.

    async with LLMClient(store, search=knowledge.search) as client:
        project = await brief(store, project_id)
        question = await client.generate_socratic_question_async(project, 0, caller=Caller("ada"))
        print(question.value)

An operation either raises LLMError, or returns a substitute and says so: `Result.degraded`. Nothing that failed comes
back as text. Every request is a row of `llm_usage` before its operation returns.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from socrates.llm.accounting import Accounting
from socrates.llm.calls import Calls
from socrates.llm.claude.client import Claude
from socrates.llm.credentials import DEFAULT_PROVIDER, CredentialResolver
from socrates.llm.emitting import Emit, careful, silent
from socrates.llm.operations.accounts import AccountOperations
from socrates.llm.operations.analysis import AnalysisOperations
from socrates.llm.operations.artifacts import ArtifactOperations
from socrates.llm.operations.base import KnowledgeSearch
from socrates.llm.operations.dialogue import DialogueOperations
from socrates.llm.operations.generic import GenericOperations
from socrates.llm.prices import Prices
from socrates.llm.provider import Provider
from socrates.store import Store


class LLMClient(GenericOperations, DialogueOperations, AnalysisOperations, ArtifactOperations, AccountOperations):
    """All operations. Safe to share between the tasks of one event loop; users share nothing but their turn."""

    def __init__(
        self,
        store: Store,
        *,
        search: KnowledgeSearch | None = None,
        emit: Emit = silent,
        key: SecretStr | None = None,
        providers: Mapping[str, Provider] | None = None,
    ) -> None:
        """Calls are made, and accounted, as the store's settings and its users' say; nothing is sent before the first.

        `search` finds what is known for prompts, `emit` is told of usage and failures. `key` is Claude's for users
        without one of their own, by default the environment's. `providers` goes in the place of Claude alone. Raises
        ConfigurationError for settings that cannot be used.
        """
        config = store.settings.llm_config
        if providers is None:
            providers = {DEFAULT_PROVIDER: Claude(config.claude_base_url, config.llm_timeout)}
        self._providers = providers
        self._patience = store.settings.close_timeout
        emit = careful(emit)
        prices = Prices(config.llm_prices)
        resolver = CredentialResolver(store, config, key)
        accounting = Accounting(store, prices, config, emit)
        calls = Calls(providers, resolver, accounting, config, emit)
        AccountOperations.__init__(self, accounting, resolver, prices)
        GenericOperations.__init__(self, calls, search, config, emit)  # and, by super(), those of the other families
        self.monitor = accounting.monitor
        """What this process has spent since the client was made."""

    async def aclose(self) -> None:
        """Wait until calls are accounted, then close every connection. To be done before the store closes.

        It waits as long as the setting `close_timeout` says: longer for nobody who begins calls and does not end them.
        """
        await self._calls.settle(self._patience)
        for provider in self._providers.values():
            await provider.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
