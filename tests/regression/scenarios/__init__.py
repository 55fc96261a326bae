"""The 50 scenarios, by subject. Importing this registers all of them."""

from tests.regression.scenarios import (
    analytics,
    conflicts,
    conversation,
    import_of_v1,
    learning,
    people,
    projects,
    providers,
    search,
    subscription,
    team,
    workflows,
)
from tests.regression.scenes import SCENARIOS

__all__ = [
    "SCENARIOS",
    "analytics",
    "conflicts",
    "conversation",
    "import_of_v1",
    "learning",
    "people",
    "projects",
    "providers",
    "search",
    "subscription",
    "team",
    "workflows",
]
