"""The store for scripts that don't use asyncio: the same faces, units and methods, called without ``await``.

    from socrates import sync

    with sync.Store.open("projects.db") as store:
        for project in store.projects.for_user("ada"):
            print(project.name)
        with store.begin() as unit:
            unit.conversations.append(project.id, NewMessage("user", "It must lend books."))
        with sync.KnowledgeBase.open(store) as knowledge:
            print(knowledge.search("how long may I keep a book?"))
        with sync.LLMClient.open(store) as client:
            print(client.answer_question("What is missing?", sync.brief(store, project.id)).value.text)

    with sync.Orchestrator.open("projects.db") as system:
        print(system.process_request("note_manager", {"action": "list_notes", ...}).notes)

Everything is done by `socrates.store.Store`, on an event loop in a thread of its own; arguments, results and exceptions
are its own. Threads may share a store: their reads run side by side, their units one after another. What is cached is
given out in the caller's thread; `socrates.bypassed` holds for the thread that enters it.
"""

from socrates.sync.knowledge import KnowledgeBase
from socrates.sync.llm import LLMClient, brief
from socrates.sync.orchestrator import Orchestrator
from socrates.sync.store import Store

__all__ = ["KnowledgeBase", "LLMClient", "Orchestrator", "Store", "brief"]
