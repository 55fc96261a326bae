"""The demo's texts: templates in texts/, with the words of the project in their slots."""

import re
from collections.abc import Mapping, Sequence
from string import Template

from socrates.llm.demo.resources import table, template
from socrates.llm.demo.words import Words, phrases, shortened

_PARTS = re.compile(r"^(?:def|class) (\w+)|^## (.+)", re.MULTILINE)
_LOOKED_AT = 20_000
"""Characters of an artifact in which its parts are looked for."""

_DIGITS = re.compile(r"[0-9]{1,9}")
_SPEAKER = re.compile(r"^(?:\[?(?P<who>[\w ]{1,40})\]?): *(?P<what>.+)", re.MULTILINE)
_SIDE = re.compile(r"\s*(?:old|new|existing)[\w ]*:", re.IGNORECASE)


def question(blocks: Mapping[str, str], words: Words) -> str:
    """The next question of the dialogue; its number chooses it, unless the conversation has it already."""
    said = blocks.get("conversation", "")
    told = _DIGITS.search(words.fields.get("question number", "") + blocks.get("number", ""))
    number = int(told[0]) if told else len(said.splitlines()) + 1
    choices = [_filled(text, words) for text in _of_phase("questions", words)]
    turned = choices[(number - 1) % len(choices) :] + choices[: (number - 1) % len(choices)]
    return next((text for text in turned if text not in said), turned[0])


def suggestions(blocks: Mapping[str, str], words: Words) -> str:
    """Help for somebody who is stuck on a question."""
    lines = [f"- {_filled(text, words)}" for text in _of_phase("suggestions", words)]
    return "\n".join([_answer("stuck", blocks.get("question", ""), blocks, words), *lines])


def explanation(blocks: Mapping[str, str], words: Words) -> str:
    """Why these insights were taken from an answer."""
    return _answer("insights", blocks.get("answer", ""), blocks, words)


def direct_answer(blocks: Mapping[str, str], words: Words) -> str:
    """An answer to a question, from what is known."""
    return _answer("direct", blocks.get("question", ""), blocks, words)


def topic_explanation(blocks: Mapping[str, str], words: Words) -> str:
    """What a topic is, why it matters, and what it has to do with the project."""
    return _answer("topic", blocks.get("topic", ""), blocks, words)


def free_text(blocks: Mapping[str, str], words: Words) -> str:
    """A reply to any prompt."""
    return _answer("free", blocks.get("prompt", ""), blocks, words)


def summary(blocks: Mapping[str, str], words: Words) -> str:
    """What was said, by whom, and what is open."""
    messages = [(found["who"].lower(), found["what"]) for found in _SPEAKER.finditer(blocks.get("conversation", ""))]
    answers = phrases(what for who, what in messages[-20:] if who != "assistant")
    asked = [what for who, what in messages if who == "assistant"]
    lines = [f"The conversation about {words.name} has {len(messages)} messages so far.", "", "What was said:"]
    lines += [f"- {text}" for text in answers] or ["- Nothing has been answered yet."]
    lines += ["", "Open:", f"- {shortened(asked[-1])}" if asked else "- The first question."]
    return "\n".join(lines)


def resolutions(blocks: Mapping[str, str], words: Words) -> str:
    """Ways out of a conflict."""
    sides = phrases(line.partition(":")[2] for line in blocks.get("conflict", "").splitlines() if _SIDE.match(line))
    old, new = (*sides, "what was agreed", "what was said now")[:2]
    texts = table("dialogue.toml")["resolutions"]["conflict"]
    return "\n".join(f"{number}. {_filled(text, words, old=old, new=new)}" for number, text in enumerate(texts, 1))


def code(_blocks: Mapping[str, str], words: Words) -> str:
    """A program that runs."""
    return template("code.txt").substitute(
        words.slots(),
        name_literal=repr(words.name),
        goals_literal=_literal(words.goals or ("Decide what the project is for",)),
        requirements_literal=_literal(words.requirements),
        constraints_literal=_literal(words.constraints),
        tech_literal=_literal(words.tech_stack),
    )


def business_plan(_blocks: Mapping[str, str], words: Words) -> str:
    """A business plan."""
    return template("business_plan.md").substitute(words.slots())


def research_protocol(_blocks: Mapping[str, str], words: Words) -> str:
    """A research protocol."""
    return template("research_protocol.md").substitute(words.slots())


def creative_brief(_blocks: Mapping[str, str], words: Words) -> str:
    """A creative brief."""
    return template("creative_brief.md").substitute(words.slots())


def marketing_plan(_blocks: Mapping[str, str], words: Words) -> str:
    """A marketing plan."""
    return template("marketing_plan.md").substitute(words.slots())


def curriculum(_blocks: Mapping[str, str], words: Words) -> str:
    """A curriculum."""
    return template("curriculum.md").substitute(words.slots())


def documentation(blocks: Mapping[str, str], words: Words) -> str:
    """How to use an artifact."""
    texts = table("documentation.toml")
    kind = words.fields.get("artifact type", "code").lower()
    found = (one or other for one, other in _PARTS.findall(blocks.get("artifact", "")[:_LOOKED_AT]))
    parts = "\n".join(f"- {part}" for part in phrases(found)) or "- There is no artifact yet."
    return _filled(texts.get(kind, texts["code"]).strip() + "\n", words, parts=parts)


def _answer(name: str, asked: str, blocks: Mapping[str, str], words: Words) -> str:
    known = phrases(blocks.get("knowledge", "").splitlines())[:3]
    return _filled(
        table("dialogue.toml")["answers"][name].strip(),
        words,
        asked=shortened(asked) or "this",
        taken="; ".join(phrases(blocks.get("insights", "").splitlines())) or "these points",
        known="\n".join(f"- From what you have collected: {text}" for text in known) or "- Nothing was collected yet.",
    )


def _of_phase(kind: str, words: Words) -> Sequence[str]:
    texts: Mapping[str, Sequence[str]] = table("dialogue.toml")[kind]
    return texts.get(words.phase, texts["other"])


def _filled(text: str, words: Words, **more: str) -> str:
    return Template(text).substitute(words.slots(), **more)


def _literal(items: Sequence[str]) -> str:
    return "".join(["[", *(f"\n    {item!r}," for item in items), "\n]" if items else "]"])
