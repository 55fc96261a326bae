"""The exceptions form the tree that the docstring draws."""

import inspect
import pickle

import pytest

from socrates import errors

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and value.__module__ == errors.__name__
}


def drawn_tree() -> dict[str, str | None]:
    """Class → its base, as the docstring draws them."""
    tree: dict[str, str | None] = {}
    path: list[str] = []
    for line in inspect.getdoc(errors).splitlines():  # type: ignore[union-attr]
        words = line.lstrip(" │├└─").split()
        if not words or not words[0].endswith("Error") or not line.startswith(" "):
            continue
        depth = (len(line) - len(line.lstrip(" │├└─")) - 4) // 4
        path[depth:] = [words[0]]
        tree[words[0]] = path[depth - 1] if depth else None
    return tree


def test_the_docstring_draws_every_class_under_its_base() -> None:
    real = {name: error.__bases__[0].__name__ for name, error in CLASSES.items()}
    real["SocratesError"] = None  # type: ignore[assignment]
    assert drawn_tree() == real


def test_the_root_is_an_ordinary_exception() -> None:
    assert errors.SocratesError.__bases__ == (Exception,)


WITH_FIELDS: list[errors.SocratesError] = [
    errors.NotFoundError("note", "n-1"),
    errors.ProjectNotFoundError("p-1"),
    errors.UserNotFoundError("ada"),
    errors.ConflictError("p-1", 3, 5),
    errors.QuotaExceededError("questions this month", 100, 100),
    errors.ThrottledError(64),
]
"""Those that make their message of what happened."""

OF_MODELS = [
    errors.LLMError("the model is overloaded", "RATE_LIMITED", 529),
    errors.LLMError("the answer is empty", "EMPTY_RESPONSE"),
    errors.LLMConfigurationError("there is no API key", "AUTHENTICATION_ERROR"),
]
"""Those that say beside their message what kind of failure it is."""

OTHERS = {type(error) for error in (*WITH_FIELDS, *OF_MODELS)}
WITH_A_MESSAGE = [error for error in CLASSES.values() if error not in OTHERS]


@pytest.mark.parametrize("error", CLASSES.values(), ids=CLASSES.keys())
def test_every_class_says_what_it_means(error: type[Exception]) -> None:
    assert error.__doc__


@pytest.mark.parametrize("error", WITH_A_MESSAGE)
def test_a_message_is_kept_as_it_is(error: type[Exception]) -> None:
    assert str(error("what, where, what to do")) == "what, where, what to do"


@pytest.mark.parametrize("error", WITH_FIELDS, ids=lambda error: type(error).__name__)
def test_a_message_names_what_happened_and_survives_a_pickle(error: errors.SocratesError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), vars(again)) == (str(error), vars(error))
    assert all(str(value) in str(error) for value in vars(error).values())


@pytest.mark.parametrize("error", OF_MODELS, ids=lambda error: error.error_type)
def test_a_failure_of_a_model_says_which_and_survives_a_pickle(error: errors.LLMError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), again.error_type, again.status) == (error.message, error.error_type, error.status)
    assert error.code == "API_ERROR"  # v1's


def test_a_model_that_cannot_be_called_as_things_are_set_up_is_an_error_of_the_settings_too() -> None:
    assert issubclass(errors.LLMConfigurationError, errors.ConfigurationError)
    assert not issubclass(errors.LLMError, errors.ConfigurationError)
