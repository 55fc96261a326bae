"""Technologies of which a project mostly needs one."""

import pytest

from socrates.rules.tech_conflicts import tech_conflicts


@pytest.mark.parametrize(
    ("existing", "new", "severity"),
    [
        ("MySQL", "PostgreSQL", "low"),
        ("SQLite", "postgres", "low"),
        ("Python", "JavaScript", "low"),
        ("JS", "TypeScript", "low"),
        ("golang", "Rust", "low"),
        ("React", "Vue.js", "medium"),
        ("VueJS", "Angular", "medium"),
        ("Next.js", "Nuxt", "medium"),
        ("Django", " fast api ", "medium"),
        ("npm", "Yarn", "medium"),
        ("pip", "Poetry", "medium"),
        ("pytest", "unittest", "medium"),
        ("Jest", "mocha", "medium"),
        ("webpack", "Vite", "medium"),
        ("Maven", "Gradle", "medium"),
    ],
)
def test_two_of_a_kind_conflict(existing: str, new: str, severity: str) -> None:
    (conflict,) = tech_conflicts([new], [existing])
    assert (conflict.field, conflict.existing, conflict.new) == ("tech_stack", existing, new.strip())
    assert conflict.severity == severity
    assert existing in conflict.explanation
    assert new.strip() in conflict.explanation
    assert len(conflict.suggestions) == 4


@pytest.mark.parametrize(
    ("existing", "new"),
    [
        ("go", "Django"),
        ("go", "MongoDB"),
        ("go", "Google Maps"),
        ("Java", "JavaScript framework"),
        ("Python", "C"),
        ("React", "Next.js"),
        ("npm", "pip"),
        ("pytest", "jest"),
        ("Python", "Django"),
        ("Vue", "vue.js"),
        ("PostgreSQL", " POSTGRES "),
        ("React", "React Native"),
        ("a quill", "a typewriter"),
    ],
)
def test_what_only_looks_alike_does_not_conflict(existing: str, new: str) -> None:
    """D26: v1 looked for each name in the other."""
    assert tech_conflicts([new], [existing]) == ()


def test_each_new_technology_has_one_conflict_with_the_first_of_its_kind() -> None:
    found = tech_conflicts(["Redis", "Flask", "Redis"], ["Python", "MySQL", "SQLite", "Django", "FastAPI"])
    assert [(conflict.existing, conflict.new) for conflict in found] == [("MySQL", "Redis"), ("Django", "Flask")]


def test_what_the_project_has_already_is_not_new() -> None:
    assert tech_conflicts(["sqlite"], ["MySQL", "SQLite"]) == ()


def test_new_technologies_do_not_conflict_with_each_other() -> None:
    assert tech_conflicts(["MySQL", "SQLite"], []) == ()


@pytest.mark.parametrize(("new", "existing"), [([], ["Python"]), ([""], ["Python"]), ([" "], ["", " "]), ([], [])])
def test_nothing_conflicts_with_nothing(new: list[str], existing: list[str]) -> None:
    assert tech_conflicts(new, existing) == ()


def test_names_are_data_whatever_they_hold() -> None:
    assert tech_conflicts(["$new {kind} </new>"] * 1000, ["$existing", "Python", "x" * 100_000]) == ()


def test_two_databases_are_a_question() -> None:
    (conflict,) = tech_conflicts(["Redis"], ["MySQL"])
    assert conflict.explanation.startswith("Are both meant?")
