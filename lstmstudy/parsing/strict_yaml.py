"""One YAML file as a plain mapping, or one line that says what is wrong with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from lstmstudy import paths
from lstmstudy.parsing.untrusted import open_plain
from lstmstudy.parsing.yaml_bounds import excess

if TYPE_CHECKING:
    from pathlib import Path

# libyaml reads ten times as fast as Python; PyYAML's wheels have it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NUMBER = re.compile(r"(?P<digits>[-+]?\d+(\.\d*)?|[-+]?\.\d+)([eE](?P<exponent>[-+]?\d+))?")
_KEY_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")
_LARGEST = 1 << 23  # bytes of a file
_LONGEST = 80  # characters of a received value that a message repeats


class ParamsError(ValueError):
    """A parameter file that cannot be used; the message is one line, made for whoever wrote the file."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows: the line of the cell and the message, none of the package's own lines."""
        from lstmstudy.traceback import cell_traceback

        return cell_traceback(self)


def printable(text: str) -> str:
    """Return `text` as one line in which nothing tells a terminal to do something."""
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))


def shown(value: object) -> str:
    """Return `value` as an error repeats it: in Python's notation, lists for tuples, cut when long."""
    try:
        text = repr(list(value) if isinstance(value, tuple) else value)
    except ValueError:  # Python writes no integer of thousands of digits
        text = f"a number that is too long to print, {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def hint(value: object) -> str:
    """Return a sentence, ending in a space, about a value that YAML reads otherwise than meant; or nothing."""
    if isinstance(value, bool):
        return "YAML reads on, yes and true (off, no and false) as a truth value: quote it if it is a name. "
    match = _NUMBER.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return ""
    exponent = int(match["exponent"] or 0)
    spellings = []
    if abs(exponent) < 10:
        spellings.append(f"{float(match[0]):.12f}".rstrip("0").rstrip("."))
    if exponent:
        digits = match["digits"] if "." in match["digits"] else f"{match['digits']}.0"
        spellings.append(f"{digits}e{exponent:+d}")
    return f"YAML reads it as text: write {' or '.join(spellings)}, without quotes. "


def read_mapping(path: Path) -> dict[Any, Any]:
    """Return the mapping that the file holds.

    Raises:
        ParamsError: If the file is missing, unreadable, too large, not UTF-8, not YAML, no mapping, or has a key
            that is no text or is there twice.
    """
    where = paths.relative(path)
    try:
        with open_plain(path) as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            msg = f"{where}: the file is too large. Expected at most {_LARGEST} bytes. Received: bytes={path.stat().st_size}"
            raise ParamsError(msg)
        text = data.decode()
    except FileNotFoundError:
        msg = f"{where}: the file is missing. Expected a YAML file of that name. Received: file={where!r}"
        raise ParamsError(msg) from None
    except UnicodeDecodeError as error:
        byte = f"0x{error.object[error.start]:02x}"
        msg = f"{where}: the file is not UTF-8 text. Expected UTF-8: save it so. Received: byte_{error.start}={byte}"
        raise ParamsError(msg) from None
    except OSError as error:
        msg = f"{where}: {error.strerror}. Expected a file that can be read. Received: file={where!r}"
        raise ParamsError(msg) from None
    try:
        problem = excess(yaml.parse(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        raise _not_yaml(where, text, error) from None
    if problem:
        raise ParamsError(f"{where}: {problem}")
    try:
        node = yaml.compose(text, Loader=_LOADER)
        content = yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe one
    except (yaml.YAMLError, ValueError) as error:
        raise _not_yaml(where, text, error) from None
    _check_keys(where, node)
    if not isinstance(content, dict):
        msg = f"{where}: the file is no mapping. Expected lines such as `units: 12`. Received: content={shown(content)}"
        raise ParamsError(msg)
    return content


def _not_yaml(where: str, text: str, error: Exception) -> ParamsError:
    """Return the error for a text that is not YAML, with the line where reading ended if that is known."""
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    mark = getattr(error, "problem_mark", None)
    lines = text.splitlines()
    number = min(mark.line + 1, len(lines)) if mark is not None else 1
    return ParamsError(
        f"{where}: the file is not YAML (line {number}: {problem}). Expected lines such as `units: 12`. "
        f"Received: line_{number}={shown(lines[number - 1] if lines else '')}"
    )


def _check_keys(where: str, root: yaml.Node | None) -> None:
    """Raise a ParamsError unless every key under `root` is a text and there once; PyYAML keeps the last."""
    waiting = [(root, "")]
    visited: set[int] = set()
    while waiting:
        node, place = waiting.pop()
        if id(node) in visited:  # an alias
            continue
        visited.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [(item, place) for item in node.value]
        if isinstance(node, yaml.MappingNode):
            keys = set()
            for key, value in node.value:
                line = f"{where}: line {key.start_mark.line + 1}"
                if not isinstance(key, yaml.ScalarNode) or key.tag not in _KEY_TAGS:
                    msg = (
                        f"{line}: a key is no text; YAML reads on and yes as a truth value. Expected a name. "
                        f"Received: key={shown(key.value) if isinstance(key, yaml.ScalarNode) else '...'}"
                    )
                    raise ParamsError(msg)
                if key.value in keys:
                    received = shown(value.value) if isinstance(value, yaml.ScalarNode) else "..."
                    msg = (
                        f"{line}: the key `{place}{key.value}` is there a second time. Expected each key once. "
                        f"Received: {key.value}={received}"
                    )
                    raise ParamsError(msg)
                keys.add(key.value)
                waiting.append((value, f"{place}{key.value}."))
