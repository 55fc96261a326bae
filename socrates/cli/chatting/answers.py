"""Answers, and what they tell."""

from socrates.agents.contracts.dialogue import InsightsShown, ResponseProcessed
from socrates.cli.chatting.deciding import decide
from socrates.cli.chatting.screen import NotDoneError
from socrates.cli.chatting.session import Session

_FIELDS = {
    "goals": "Goal",
    "requirements": "Requirement",
    "tech_stack": "Technology",
    "constraints": "Constraint",
}


async def take_answer(session: Session, answer: str) -> None:
    """Have an answer stored and analysed. Raises NotDoneError."""
    await _process(session, response=answer)


async def analyse_again(session: Session) -> bool:
    """Have the last answer analysed that could not be; whether a question is due then. Raises NotDoneError."""
    if session.not_analysed is None:
        session.screen.say("Every answer was analysed.")
        return False
    await _process(session, answer_position=session.not_analysed)
    return session.not_analysed is None


async def _process(session: Session, **answer: str | int) -> None:
    processed = await session.of_project(ResponseProcessed, "socratic_counselor", "process_response", **answer)
    session.not_analysed = None if processed.analyzed else processed.answer_position
    if processed.warning:
        session.screen.warn(processed.warning)
    if not processed.analyzed:
        session.screen.say("The answer is kept; /again has it analysed.", "dim")
        return
    _show_insights(session, processed.insights)
    try:
        for conflict in processed.conflicts:
            await decide(session, conflict)
    except NotDoneError as error:
        session.screen.warn(f"{error} /conflicts decides what is left.")
    session.screen.bars({processed.maturity.phase: processed.maturity.score})
    if processed.maturity.ready:
        session.screen.say("This phase is ready: /advance goes on to the next.", "green")


def _show_insights(session: Session, insights: InsightsShown) -> None:
    found = [f"{name}: {text}" for field, name in _FIELDS.items() for text in getattr(insights, field)]
    if found:
        session.screen.say("What I learned:")
        session.screen.items(found)
    elif insights.note:
        session.screen.say(insights.note, "dim")
