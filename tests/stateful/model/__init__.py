"""The model: it has the store's faces and methods, and does everything at once and without a database.

Methods take what the repositories' take, return what they return, and raise what they raise. A call that raises may
have changed something, so it is tried on a copy.
"""

from tests.stateful.model.conflicts import Conflicts
from tests.stateful.model.conversations import Conversations
from tests.stateful.model.knowledge import Knowledge
from tests.stateful.model.learning import Learning
from tests.stateful.model.llm import LLM
from tests.stateful.model.login_failures import LoginFailures
from tests.stateful.model.notes import Notes
from tests.stateful.model.projects import Projects
from tests.stateful.model.state import Clock, State
from tests.stateful.model.users import Users


class Model:
    """What a store holds, by aggregate."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.projects = Projects(state)
        self.conversations = Conversations(state)
        self.conflicts = Conflicts(state)
        self.users = Users(state)
        self.notes = Notes(state)
        self.learning = Learning(state)
        self.knowledge = Knowledge(state)
        self.llm = LLM(state)
        self.login_failures = LoginFailures(state)

    def copy(self) -> "Model":
        return Model(self.state.copy())


__all__ = ["Clock", "Model", "State"]
