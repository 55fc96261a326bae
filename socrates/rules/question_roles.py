"""Which roles a question is for, by its words: no model is asked (agents, 2.14)."""

from collections.abc import Sequence

_KEYWORDS = {
    "lead": ("strategy", "vision", "goal", "decision", "plan", "overall"),
    "creator": ("build", "implement", "create", "develop", "code"),
    "specialist": ("technical", "expert", "quality", "best practice", "standard"),
    "analyst": ("research", "analyze", "requirement", "validation", "data"),
    "coordinator": ("timeline", "schedule", "depend", "milestone", "task"),
}


def roles_by_keyword(question: str, present: Sequence[str]) -> tuple[str, ...]:
    """Those of the present roles that a word of the question, or a part of one, points to; all when none does."""
    asked = question.lower()
    fitting = (role for role, words in _KEYWORDS.items() if any(word in asked for word in words))
    return tuple(role for role in fitting if role in present) or tuple(present)
