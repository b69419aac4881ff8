import inspect

import pytest

from framesift import errors

CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, errors.FramesiftError)
]
BUILTINS = {
    "SourceError": OSError,
    "UnsupportedSourceError": ValueError,
    "ForbiddenAddressError": PermissionError,
    "DecodeError": ValueError,
    "SpecError": ValueError,
    "UnknownNameError": LookupError,
    "BudgetError": ValueError,
    "InvalidTokensError": ValueError,
    "MissingSignalError": LookupError,
    "ModelError": RuntimeError,
    "StorageError": OSError,
    "TimeLimitError": TimeoutError,
    "MissingDependencyError": ImportError,
}


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes():
    drawn = [line.strip("│├└─ ") for line in errors.__doc__.splitlines() if "Error" in line]
    names = [line.split()[0] for line in drawn if line.split()[0].endswith("Error")]
    assert names == [value.__name__ for value in CLASSES]


@pytest.mark.parametrize(("name", "builtin"), BUILTINS.items())
def test_each_error_is_also_the_builtin_that_a_caller_expects(name, builtin):
    assert issubclass(getattr(errors, name), builtin)


@pytest.mark.parametrize("error", CLASSES, ids=lambda value: value.__name__)
def test_an_error_keeps_its_message(error):
    assert str(error("what was given, what is allowed, what to do")).startswith("what was given")
    assert error.__doc__
