"""What is found: messages, notes, what is known, documents, and what a project lacks."""

from tests.regression.scenes import Scene, scenario
from tests.support.systems import with_people, with_project, with_talk

CONTEXT, NOTES, KNOWLEDGE, DOCUMENTS = "context_analyzer", "note_manager", "knowledge_manager", "document_agent"

TALK = (
    "Who may borrow a book?",
    "Children may BORROW, too. Ärzte and 100% of the readers as well.",
    "For how long?",
    "For three weeks; under_score and %wildcard are words here.",
    "What does it cost to borrow?",
)


@scenario()
async def messages_the_newest_first(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "eve")
    await with_project(scene.lab)
    await with_talk(scene.lab, "p1", *TALK)
    for query in ("borrow", "ärzte", "100%", "r_s", "three weeks", "nothing of it"):
        await scene.ask(CONTEXT, "search_conversations", project_id="p1", query=query)
    await scene.ask(CONTEXT, "search_conversations", project_id="p1", query="borrow", limit=1)
    await scene.ask(CONTEXT, "search_conversations", project_id="p1", query="borrow", limit=1, before=4)
    await scene.ask(CONTEXT, "search_conversations", "eve", project_id="p1", query="borrow")


@scenario()
async def notes_written_changed_found_and_deleted(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob", "eve")
    await with_project(scene.lab, members={"bob": "analyst"})
    about = {"project_id": "p1", "note_type": "idea"}
    first = await scene.ask(NOTES, "add_note", **about, title="Fines", content="No fines for children.", tags=["money"])
    await scene.ask(NOTES, "add_note", "bob", **about, title="Hours", content="Open until six. " * 10)
    await scene.prepare(NOTES, "add_note", project_id="p1", note_type="bug", title="Crash", content="On FINES above 9.")
    await scene.ask(NOTES, "add_note", project_id="p1", note_type="poem", title="Ode", content="O book!")
    await scene.ask(NOTES, "list_notes", project_id="p1", note_type="idea")
    listed = await scene.ask(NOTES, "list_notes", "bob", project_id="p1", limit=1)
    await scene.ask(NOTES, "list_notes", project_id="p1", limit=1, after=listed.notes[0].note_id)
    await scene.ask(NOTES, "search_notes", project_id="p1", query="fines")
    await scene.ask(NOTES, "search_notes", "eve", project_id="p1", query="fines")
    note_id = first.note.note_id
    await scene.ask(NOTES, "update_note", note_id=note_id, title="Fees", tags=["money", "children"])
    await scene.ask(NOTES, "delete_note", "bob", note_id=note_id)
    await scene.ask(NOTES, "delete_note", note_id=note_id)
    await scene.ask(NOTES, "delete_note", note_id=note_id)
    scene.see("the notes in the store", await scene.store.notes.for_project("p1"))


@scenario(knowledge=True)
async def knowledge_of_everybody_and_of_the_project(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob")
    await with_project(scene.lab)
    await with_project(scene.lab, "p2", "bob")
    known = scene.lab.system.services.known
    await known.add_text("A book may be kept for three weeks.", "p1")
    await known.add_text("A book of maps may never leave the house.", "p1")
    await known.add_text("A book costs ten euros.", "p2")
    query = "for how many weeks may a book be kept"
    await scene.ask(CONTEXT, "find_similar", project_id="p1", query=query, top_k=3)
    await scene.ask(CONTEXT, "find_similar", "bob", project_id="p2", query=query, top_k=2)
    await scene.ask(CONTEXT, "find_similar", query=query, top_k=1)
    await scene.ask(CONTEXT, "find_similar", project_id="p2", query=query)
    await scene.ask(CONTEXT, "find_similar", query=query, top_k=101)


@scenario(knowledge=True)
async def documents_imported_listed_and_removed(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob")
    await with_project(scene.lab, members={"bob": "creator"})
    (scene.documents / "more").mkdir()
    (scene.documents / "rules.md").write_text("A book may be kept for three weeks.", "utf-8")
    (scene.documents / "more" / "fees.txt").write_text("Late books cost ten cents a day. " * 100, "utf-8")
    (scene.documents / "picture.png").write_bytes(b"\x89PNG")
    (scene.documents / "empty.txt").write_bytes(b"")
    of_it = {"project_id": "p1"}
    await scene.ask(DOCUMENTS, "import_file", **of_it, file_path="rules.md")
    await scene.ask(DOCUMENTS, "import_file", **of_it, file_path="rules.md")
    await scene.ask(DOCUMENTS, "import_file", **of_it, file_path="picture.png")
    await scene.ask(DOCUMENTS, "import_file", **of_it, file_path="missing.md")
    await scene.ask(DOCUMENTS, "import_file", **of_it, file_path="../projects.db")
    await scene.ask(DOCUMENTS, "import_file", file_path="rules.md")
    await scene.ask(DOCUMENTS, "import_directory", "bob", **of_it, directory_path=".")
    listed = await scene.ask(DOCUMENTS, "list_documents", **of_it)
    await scene.ask(CONTEXT, "find_similar", **of_it, query="kept for three weeks", top_k=1)
    source = min(document.source for document in listed.documents)
    await scene.ask(DOCUMENTS, "delete_document", **of_it, source=source)
    await scene.ask(DOCUMENTS, "delete_document", **of_it, source=source)
    await scene.ask(DOCUMENTS, "list_documents", **of_it)


@scenario(knowledge=True)
async def suggestions_approved_and_rejected(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob")
    await with_project(scene.lab, members={"bob": "creator"})
    texts = ("Lent books are registered.", "Books are blue.", "Readers are people.")
    made = [
        await scene.ask(KNOWLEDGE, "suggest_knowledge", "bob", project_id="p1", content=text, category="rules")
        for text in texts
    ]
    right, wrong, _waiting = (each.suggestion.id for each in made)
    await scene.ask(KNOWLEDGE, "get_suggestions", project_id="p1", limit=2)
    await scene.ask(KNOWLEDGE, "approve_suggestion", "bob", project_id="p1", suggestion_id=right)
    await scene.ask(KNOWLEDGE, "approve_suggestion", project_id="p1", suggestion_id=right)
    await scene.ask(KNOWLEDGE, "reject_suggestion", project_id="p1", suggestion_id=wrong)
    await scene.ask(KNOWLEDGE, "reject_suggestion", project_id="p1", suggestion_id=right)
    await scene.ask(KNOWLEDGE, "get_queue_status", project_id="p1")
    await scene.ask(CONTEXT, "find_similar", project_id="p1", query="are lent books registered", top_k=1)
    await scene.ask(KNOWLEDGE, "clear_suggestions", project_id="p1")
    await scene.ask(KNOWLEDGE, "get_suggestions", project_id="p1", status="all")


@scenario(knowledge=True)
async def a_context_of_which_too_little_is_known(scene: Scene) -> None:
    await with_people(scene.lab, "ada")
    await with_project(scene.lab)
    await scene.ask(CONTEXT, "analyze_context", project_id="p1")
    await with_talk(scene.lab, "p1", *TALK)
    await scene.ask(CONTEXT, "analyze_context", project_id="p1")
    await scene.prepare("project_manager", "update_project", project_id="p1", goals="glaciers")
    first = await scene.ask(CONTEXT, "analyze_context", project_id="p1")
    again = await scene.prepare(CONTEXT, "analyze_context", project_id="p1")
    scene.see("the second suggestion", again.suggestion_id)
    scene.see("the rest is the same", again.model_copy(update={"suggestion_id": first.suggestion_id}) == first)
    await scene.ask(KNOWLEDGE, "get_suggestions", project_id="p1")
    await scene.lab.system.services.known.add_text("glaciers move slowly", "p1")
    better = await scene.prepare(CONTEXT, "analyze_context", project_id="p1")
    scene.see("what is known now", better.relevant_knowledge[:2])
    await scene.ask(CONTEXT, "analyze_context", conversation=[{"role": "user"}, {"type": "assistant"}] * 6)


@scenario()
async def summaries_of_a_talk_and_of_a_project(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "eve")
    await with_project(scene.lab, goals="Lend books", requirements=["works offline"], constraints=["500 euros"])
    await scene.ask(CONTEXT, "generate_summary", project_id="p1")
    await with_talk(scene.lab, "p1", *TALK)
    for limit in (2, 0, None):
        await scene.ask(CONTEXT, "generate_summary", project_id="p1", limit=limit)
        scene.see("what the model was asked", dict(scene.lab.server.requests[-1].blocks))
    await scene.ask(CONTEXT, "get_summary", project_id="p1")
    await scene.ask(CONTEXT, "get_summary", "eve", project_id="p1")
