"""The dialogue of a project: a tuple that grows."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from socrates.drafts import NewMessage
from socrates.frozen import freeze
from socrates.repositories.snippet import snippet  # it has tests of its own
from socrates.views import Message, MessageHit
from tests.stateful.model.state import Face, at_least_one, not_blank


class Conversations(Face):
    def last(self, project_id: str, count: int = 50) -> tuple[Message, ...]:
        return self._all(project_id)[-at_least_one(count) :]

    def before(self, project_id: str, position: int, count: int = 50) -> tuple[Message, ...]:
        return tuple(each for each in self._all(project_id) if each.position < position)[-at_least_one(count) :]

    def after(self, project_id: str, position: int = -1, count: int = 50) -> tuple[Message, ...]:
        return tuple(each for each in self._all(project_id) if each.position > position)[: at_least_one(count)]

    def by_phase(self, project_id: str, phase: str, after: int = -1, count: int = 50) -> tuple[Message, ...]:
        found = (each for each in self._all(project_id) if each.phase == phase and each.position > after)
        return tuple(found)[: at_least_one(count)]

    def search(self, project_id: str, text: str, before: int = 2**63 - 1, count: int = 50) -> tuple[MessageHit, ...]:
        needle = not_blank(text)
        found = [
            MessageHit(each, snippet(each.content, needle))
            for each in self._all(project_id)
            if needle in each.content.casefold() and each.position < before
        ]
        return tuple(found[::-1][: at_least_one(count)])

    def count(self, project_id: str) -> int:
        self.a_project(project_id)
        return len(self._all(project_id))

    def count_by_type(self, project_id: str) -> dict[str, int]:
        return dict(Counter(each.type for each in self._all(project_id)))

    def export(self, project_id: str, batch: int = 1000) -> tuple[Message, ...]:
        at_least_one(batch)
        return self._all(project_id)

    def append(self, project_id: str, message: NewMessage) -> Message:
        return self.append_many(project_id, [message])[0]

    def append_many(self, project_id: str, messages: Iterable[NewMessage]) -> tuple[Message, ...]:
        drafts = tuple(messages)
        if not drafts:
            return ()
        project = self.a_project(project_id)
        before = self._all(project_id)
        added = tuple(
            Message(
                project_id,
                position,
                draft.type,
                draft.content,
                draft.timestamp or self.now,
                draft.phase,
                draft.author,
                draft.question_number,
                freeze(draft.extra),
            )
            for position, draft in enumerate(drafts, len(before))
        )
        self.state.messages[project_id] = before + added
        summary = replace(project.summary, message_count=len(before + added), updated_at=self.now)
        self.state.projects[project_id] = replace(project, summary=summary)
        return added

    def _all(self, project_id: str) -> tuple[Message, ...]:
        return self.state.messages.get(project_id, ())
