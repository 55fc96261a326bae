"""The prompts of operations 13 to 18 and 27."""

from collections.abc import Iterable, Sequence

from socrates.llm.briefing import Briefing
from socrates.llm.categorizing import Fields
from socrates.llm.operation import Operation
from socrates.llm.prompts.composing import Prompt, Section, compose, subject, texts
from socrates.llm.prompts.projects import about, summary
from socrates.rules.conflicts import FoundConflict

_FAMILY = "analysis"


def categorization(fields: Fields, phase: str, project_type: str, categories: Iterable[str], tokens: int) -> Prompt:
    """Statements of an answer, and the categories they are sorted into."""
    types, phases = texts(_FAMILY)["types"], texts("dialogue")["phases"]
    known = phase.strip().lower()
    sections = [
        _lines("categories", categories, stable=True),
        _lines("insights", (f"{name}: {'; '.join(values)}" for name, values in fields.items())),
    ]
    return compose(
        _FAMILY,
        "categorize_insights",
        sections,
        tokens,
        type=types.get(project_type.strip().lower(), types["other"]),
        phase=known if known in phases else "unknown",
        about=phases.get(known, phases["unknown"]),
    )


def conflicts(operation: Operation, new: Sequence[str], existing: Sequence[str], tokens: int) -> Prompt:
    """New statements of one field, and those that stand."""
    sections = [_lines("existing", existing, stable=True), _lines("new", new)]
    return compose(_FAMILY, operation.name, sections, tokens, judging=texts(_FAMILY)["verdicts"]["judging"])


def resolutions(conflict: FoundConflict, project: Briefing, tokens: int) -> Prompt:
    """A conflict, and the project it is in."""
    words = texts("dialogue")
    statements = {
        "kind": conflict.field,
        f"existing by {conflict.existing_author or 'unknown'}": conflict.existing,
        f"new by {conflict.new_author or 'unknown'}": conflict.new,
        "severity": conflict.severity,
        "explanation": conflict.explanation,
    }
    sections = [
        about(project),
        summary(project),
        _lines("conflict", (f"{name}: {text}" for name, text in statements.items() if text)),
    ]
    return compose(
        _FAMILY,
        "generate_conflict_resolution_suggestions",
        sections,
        tokens,
        type=words["types"][project.project_type],
    )


def question_roles(question: str, present: Iterable[str], tokens: int) -> Prompt:
    """A question, and the roles of the team it goes to."""
    sections = [_lines("team", present, stable=True), subject("question", question)]
    return compose(_FAMILY, "assign_question_roles", sections, tokens, **texts("dialogue")["roles"])


def _lines(name: str, items: Iterable[str], *, stable: bool = False) -> Section:
    """Each item on one line, whatever breaks it has: no item looks like two."""
    return Section(name, tuple(" ".join(item.split()) for item in items), stable=stable)
