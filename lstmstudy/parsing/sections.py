"""Checked parameter files: one strict model a file, and errors of one line."""

from __future__ import annotations

import contextlib
import difflib
from collections import Counter
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from lstmstudy import paths
from lstmstudy.parsing.strict_yaml import ParamsError, hint, read_mapping, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def as_tuple(value: object) -> object:
    """Return a list of YAML as a tuple; everything else is left for the schema to refuse."""
    return tuple(value) if isinstance(value, list) else value


def _each_once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return `values`, unless one of them is there twice."""
    try:
        counts = Counter(values)
    except TypeError:  # lists and mappings are refused by what is checked next
        return values
    for value, count in counts.items():
        if count > 1:
            msg = f"{shown(value)} is there twice. "
            raise ValueError(msg)
    return values


def _plain(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return `values`, unless one of them is more than a number or a text."""
    if not all(isinstance(value, (str, int, float, bool)) for value in values):
        raise ValueError
    return values


LIST = (BeforeValidator(as_tuple), Field(min_length=1), AfterValidator(_each_once))
Names = Annotated[tuple[str, ...], *LIST]
Values = Annotated[tuple[Any, ...], *LIST, AfterValidator(_plain)]
Grid = Annotated[dict[str, Values], Field(min_length=1)]
VALUES = "for each setting a list of numbers or texts, at least one, each once"


class Section(BaseModel):
    """A part of a parameter file. The description of a field says what is expected there."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=BaseModel)


def load(model: type[Model], path: Path) -> Model:
    """Return the content of a file as its model."""
    content = read_mapping(path)
    where = paths.relative(path)
    if "name" in content:  # the stem of the file is the name
        raise ParamsError(unknown("key", "name", keys(model), "", where, content["name"]))
    try:
        return model.model_validate({**content, "name": path.stem})
    except ValidationError as error:
        raise explained(model, where, error) from None


def keys(model: type[BaseModel]) -> list[str]:
    """Return the keys that a file, or a part of it, may have."""
    return [key for key in model.model_fields if key != "name"]


def explained(model: Any, where: str, error: ValidationError) -> ParamsError:
    """Return the first thing that pydantic found as one line with key, what was expected, and what came.

    Args:
        model: What was validated: a section, or a mapping or list of sections.
        where: The file.
        error: What pydantic raised.
    """
    # A mistyped key is missing under its right name too; the typo is the one to tell.
    first = min(error.errors(include_url=False), key=lambda item: item["type"] != "extra_forbidden")
    loc, value = first["loc"], first["input"]
    section, expected = _place(model, loc)
    names = [str(part) for part in loc if not isinstance(part, int)]
    key = ".".join(names)
    if first["type"] == "extra_forbidden":
        return ParamsError(unknown("key", key, keys(section), "", where, value))
    if first["type"] == "missing":
        given = [name for name in value if name != "name"]
        return ParamsError(
            f"{where}: missing key `{key}`. Expected {expected}. Received: keys={shown(given)}"
        )
    reason = str(first["ctx"]["error"]) if first["type"] == "value_error" else ""
    item = "".join(f"[{part}]" for part in loc if isinstance(part, int))
    received = f"{names[-1]}{item}={shown(value)}"
    return ParamsError(f"{where}: {key}: {reason}Expected {expected}. {hint(value)}Received: {received}")


def _place(model: Any, loc: tuple[int | str, ...]) -> tuple[Any, str]:
    """Return the innermost section on the way to `loc`, and the description of its field."""
    section = inner = model
    expected = None
    for part in loc:
        inner = _present(inner)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            section, field = inner, inner.model_fields.get(str(part))
            if field is None:  # a key that is too much
                break
            expected, inner = field.description, field.annotation
        else:  # a mapping or a list of more; a plain value has no arguments
            inner = next(reversed([each for each in get_args(inner) if each is not Ellipsis]), None)
    inner = _present(inner)
    if isinstance(inner, type) and issubclass(inner, BaseModel):
        expected = expected or f"a mapping with the keys {', '.join(keys(inner))}"
    return section, expected or "a mapping"


def _present(annotation: Any) -> Any:
    """Return what a field holds if it is there: without the None of one that may be left out."""
    kinds = [each for each in get_args(annotation) if each is not NoneType]
    return kinds[0] if NoneType in get_args(annotation) and len(kinds) == 1 else annotation


@contextlib.contextmanager
def placed(where: str) -> Iterator[None]:
    """Raise the ValueError of a technique or recipe as a ParamsError that begins with its place in a file."""
    try:
        yield
    except ParamsError:
        raise
    except ValueError as error:
        raise ParamsError(f"{where}: {error}") from None


def unknown(what: str, name: str, valid: Iterable[str], note: str, where: str, *value: object) -> str:
    """Return the message for a name that is none of `valid`, with the nearest of these."""
    leaf = name.rpartition(".")[2] if value else name  # a key comes with its path
    by_fold = {valid_name.casefold().replace("-", "_"): valid_name for valid_name in valid}
    near = difflib.get_close_matches(leaf.casefold().replace("-", "_"), by_fold, n=2)
    mean = f"Did you mean {' or '.join(f'`{by_fold[item]}`' for item in near)}? " if near else ""
    received = f"{leaf}={shown(value[0])}" if value else f"{what}={shown(name)}"
    expected = f"Expected one of: {', '.join(by_fold.values())}. "
    return f"{where}: unknown {what} `{name}`. {expected}{note}{mean}Received: {received}"
