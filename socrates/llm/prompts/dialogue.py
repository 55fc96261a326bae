"""The prompts of operations 5 to 12."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from string import Template

from socrates.llm.briefing import Briefing
from socrates.llm.commands import Command
from socrates.llm.prompts.composing import Prompt, Rank, Section, compose, subject, texts
from socrates.llm.prompts.projects import NOT_SPECIFIED, about, conversation, goals, listed
from socrates.llm.prompts.projects import summary as summary_of
from socrates.views import Message

_FAMILY = "dialogue"

_MESSAGES_BEFORE_QUESTION = 4
_MESSAGES_BEFORE_SUGGESTIONS = 6
"""How much of the conversation is told (llm-client, chapter 6)."""

_NO_PROJECT = ("name: none loaded", "phase: none")


def socratic_question(
    project: Briefing, question_count: int, current_user: str | None, known: Section, tokens: int
) -> Prompt:
    """The next question: project, last messages, what is known, and whom it goes to, if there is a team."""
    sections = [
        about(project),
        goals(project),
        listed("requirements", project.project.requirements),
        _tech_stack(project),
        listed("constraints", project.project.constraints),
        known,
        conversation(project.last(_MESSAGES_BEFORE_QUESTION)),
        subject("number", f"This is question number {question_count + 1} of this phase."),
    ]
    if _is_asked_of_one(project, current_user):
        sections.append(subject("role", f"{current_user}, {project.role_of(str(current_user))}"))
    return compose(
        _FAMILY,
        "generate_socratic_question",
        sections,
        tokens,
        type=_type(project),
        phase=_of_phase("phases", project),
        focus=_of_phase("focus", project),
        role=_role_hint(project, current_user),
    )


def insights(answer: str, project: Briefing, tokens: int) -> Prompt:
    """What an answer states."""
    sections = [
        about(project),
        goals(project),
        _tech_stack(project),
        subject("answer", answer),
    ]
    return compose(_FAMILY, "extract_insights", sections, tokens)


def suggestions(question: str, project: Briefing, known: Section, tokens: int) -> Prompt:
    """Help with a question."""
    sections = [
        about(project),
        summary_of(project),
        known,
        conversation(project.last(_MESSAGES_BEFORE_SUGGESTIONS)),
        subject("question", question),
    ]
    slots = {"type": _type(project), "phase": _of_phase("phases", project)}
    return compose(_FAMILY, "generate_suggestions", sections, tokens, **slots)


def explanation(category: str, values: Iterable[str], answer: str, tokens: int) -> Prompt:
    """Why values were taken from an answer."""
    insights_of_it = Section("insights", tuple(f"{category}: {value}" for value in values))
    return compose(_FAMILY, "explain_insights", [insights_of_it, subject("answer", answer)], tokens)


def answer(question: str, project: Briefing | None, known: Section, tokens: int) -> Prompt:
    """A direct answer to a question."""
    sections = [known, subject("question", question)]
    if project is not None:
        sections = [about(project), *_specified(goals(project), _tech_stack(project)), *sections]
    return compose(_FAMILY, "answer_question", sections, tokens, project=_work("answer_question", project))


def topic(name: str, project: Briefing | None, known: Section, tokens: int) -> Prompt:
    """What a topic is about."""
    sections = [known, subject("topic", name)]
    if project is not None:
        sections = [about(project), _tech_stack(project), *sections]
    return compose(_FAMILY, "explain_topic", sections, tokens, project=_work("explain_topic", project))


def summary(project: Briefing, messages: Sequence[Message], tokens: int) -> Prompt:
    """What was said in the messages."""
    return compose(_FAMILY, "summarize_conversation", [about(project), conversation(messages)], tokens)


def interpretation(
    user_input: str, commands: Iterable[Command], user: str, project: Briefing | None, tokens: int
) -> Prompt:
    """Which of the commands a user means."""
    context = Section("project", (*_NO_PROJECT, f"user: {user}")) if project is None else about(project, user=user)
    sections = [_listed_by_first_word(commands), context, subject("input", user_input)]
    return compose(_FAMILY, "interpret_command", sections, tokens)


def _listed_by_first_word(commands: Iterable[Command]) -> Section:
    groups = groupby(sorted(commands, key=_first_word), _first_word)
    lines = [
        line
        for word, group in groups
        for line in (f"{word.lstrip('/')}:", *(f"{command.usage} - {command.description}" for command in group))
    ]
    return Section("commands", tuple(lines), Rank.DETAIL, stable=True)


def _first_word(command: Command) -> str:
    return command.name.partition(" ")[0]


def _tech_stack(project: Briefing) -> Section:
    return listed("tech_stack", project.project.tech_stack)


def _specified(*sections: Section) -> list[Section]:
    """Those that say something."""
    return [section for section in sections if section.items != (NOT_SPECIFIED,)]


def _type(project: Briefing) -> str:
    return str(texts(_FAMILY)["types"][project.project_type])


def _of_phase(kind: str, project: Briefing) -> str:
    words = texts(_FAMILY)[kind]
    return str(words.get(project.project.phase.strip().lower(), words["unknown"]))


def _work(task: str, project: Briefing | None) -> str:
    """What the work is in which something is asked, in words of the task's own."""
    words = texts(_FAMILY)[task]
    if project is None:
        return str(words["no_project"])
    return Template(words["project"]).substitute(type=_type(project))


def _is_asked_of_one(project: Briefing, current_user: str | None) -> bool:
    return bool(current_user) and len(project.members) > 1


def _role_hint(project: Briefing, current_user: str | None) -> str:
    """Roles are words of v1's; one that is none of them is told as data only."""
    if not _is_asked_of_one(project, current_user):
        return ""
    areas = texts(_FAMILY)["roles"]
    role = project.role_of(str(current_user)).strip().lower()
    if role not in areas:
        return ""
    return Template(texts(_FAMILY)["generate_socratic_question"]["role"]).substitute(
        areas, role=role, areas=areas[role]
    )
