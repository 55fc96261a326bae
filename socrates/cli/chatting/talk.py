"""One question after another, until somebody leaves."""

from socrates.agents.contracts.dialogue import QuestionAsked
from socrates.agents.contracts.project_manager import WholeProject
from socrates.cli.chatting.answers import take_answer
from socrates.cli.chatting.commands import COMMANDS, run_command
from socrates.cli.chatting.screen import NotDoneError
from socrates.cli.chatting.session import Session


async def talk(session: Session) -> None:
    """Ask and take answers until somebody leaves. Raises LeftError then."""
    session.screen.say("Type your answer, or /help to see what else you can do.", "dim")
    is_asked = False
    while True:
        try:
            if not is_asked:
                is_asked = True  # also where it fails: the next answer is taken then, or /question tries again
                await _show_question(session)
            typed = await session.screen.ask("You: ", COMMANDS)
            if typed.startswith("/"):
                is_asked = not await run_command(session, typed)
            elif typed:
                is_asked = False  # also where it fails: without an answer, the same question is shown again
                await take_answer(session, typed)
        except NotDoneError as error:
            session.screen.warn(str(error))


async def _show_question(session: Session) -> None:
    """The question that nobody has answered yet, or a new one."""
    whole = await session.of_project(WholeProject, "project_manager", "load_project", messages=1)
    last = whole.project.conversation_history[-1:]
    if last and last[0].type == "assistant" and last[0].phase == whole.project.phase:
        session.screen.heading(last[0].content)
        return
    asked = await session.of_project(QuestionAsked, "socratic_counselor", "generate_question")
    if asked.warning:
        session.screen.warn(asked.warning)
    session.screen.heading(asked.question)
