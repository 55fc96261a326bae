"""The exceptions form the tree that the docstring draws."""

import inspect

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


@pytest.mark.parametrize("error", CLASSES.values(), ids=CLASSES.keys())
def test_every_class_says_what_it_means(error: type[Exception]) -> None:
    assert error.__doc__
    assert str(error("what, where, what to do")) == "what, where, what to do"
