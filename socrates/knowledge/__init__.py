"""What is known, found by meaning: entries in our tables, and an index of their vectors that can be made again.

    async with Store.open("projects.db") as store, KnowledgeBase.open(store) as knowledge:
        await knowledge.add(NewEntry("Loans end after three weeks.", "rules"), project_id)
        for hit in await knowledge.search("how long may I keep a book?", project_id=project_id):
            print(f"{hit.score:.2f} {hit.entry.content}")

It needs the extra `knowledge`; importing it without that raises ConfigurationError.
"""

from importlib.util import find_spec

from socrates.errors import ConfigurationError

if find_spec("numpy") is None or find_spec("chromadb") is None:
    raise ConfigurationError("knowledge needs more than the data layer does: pip install 'socrates[knowledge]'")
