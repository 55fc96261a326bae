"""What was learned: one record per user and question, one per user and type of habit."""

from dataclasses import replace

from socrates.errors import AlreadyExistsError
from socrates.views import BehaviorPattern, QuestionEffectiveness
from tests.stateful.model.state import Face


class Learning(Face):
    def find_effectiveness(self, user_id: str, question_template_id: str) -> QuestionEffectiveness | None:
        return self.state.effectiveness.get((user_id, question_template_id))

    def effectiveness_of(self, user_id: str) -> tuple[QuestionEffectiveness, ...]:
        return tuple(each for (user, _), each in sorted(self.state.effectiveness.items()) if user == user_id)

    def find_pattern(self, user_id: str, pattern_type: str) -> BehaviorPattern | None:
        return self.state.patterns.get((user_id, pattern_type))

    def patterns_of(self, user_id: str) -> tuple[BehaviorPattern, ...]:
        return tuple(each for (user, _), each in sorted(self.state.patterns.items()) if user == user_id)

    def save_effectiveness(self, record: QuestionEffectiveness) -> QuestionEffectiveness:
        key = (record.user_id, record.question_template_id)
        if key not in self.state.effectiveness and record.id in [each.id for each in self.state.effectiveness.values()]:
            raise AlreadyExistsError(record.id)
        stored = self.state.effectiveness.get(key, record)
        self.state.effectiveness[key] = replace(record, id=stored.id, created_at=stored.created_at)
        return self.state.effectiveness[key]

    def save_pattern(self, pattern: BehaviorPattern) -> BehaviorPattern:
        key = (pattern.user_id, pattern.pattern_type)
        if key not in self.state.patterns and pattern.id in [each.id for each in self.state.patterns.values()]:
            raise AlreadyExistsError(pattern.id)
        self.state.patterns[key] = replace(pattern, id=self.state.patterns.get(key, pattern).id)
        return self.state.patterns[key]
