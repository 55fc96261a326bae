"""Conflicts, and the choice that somebody makes."""

from socrates.agents.contracts.conflicts import ConflictShown, ConflictsResolved, SuggestionList
from socrates.cli.chatting.screen import NotDoneError
from socrates.cli.chatting.session import Session
from socrates.rules.conflicts import CHOICES


async def decide(session: Session, conflict: ConflictShown) -> None:
    """Let somebody decide a conflict that holds a statement back; tell of any other. Raises NotDoneError."""
    screen = session.screen
    screen.heading(f"These contradict each other ({conflict.severity}):")
    screen.items([f"what stands: {conflict.old_value}", f"what is new: {conflict.new_value}"])
    if conflict.explanation:
        screen.say(conflict.explanation)
    if not conflict.blocking:
        screen.say("Both are kept for now; /conflicts decides.", "dim")
        return
    screen.items(await _suggestions(session, conflict), mark="*")
    await _resolve(session, conflict)


async def decide_all(session: Session, conflicts: tuple[ConflictShown, ...]) -> None:
    """Let somebody decide each of these, also those that hold nothing back."""
    for conflict in conflicts:
        session.screen.heading(f"{conflict.old_value} / {conflict.new_value}")
        await _resolve(session, conflict)


async def _suggestions(session: Session, conflict: ConflictShown) -> tuple[str, ...]:
    if conflict.suggestions:
        return conflict.suggestions
    try:
        found = await session.request(
            SuggestionList, "conflict_detector", "get_suggestions", conflict_id=conflict.conflict_id
        )
    except NotDoneError as error:
        # One can decide without advice.
        session.screen.warn(str(error))
        return ()
    return found.suggestions


async def _resolve(session: Session, conflict: ConflictShown) -> None:
    names = list(CHOICES)
    choice = names[await session.screen.choose("Which? ", [CHOICES[name] for name in names])]
    value = None
    if choice == "manual":
        value = await session.screen.ask_until("The statement: ", bool, "Write a statement.")
    resolved = await session.request(
        ConflictsResolved,
        "conflict_detector",
        "resolve_conflict",
        conflict_id=conflict.conflict_id,
        choice=choice,
        value=value,
    )
    if resolved.warning:
        session.screen.warn(resolved.warning)
    session.screen.say("Decided.", "green")
