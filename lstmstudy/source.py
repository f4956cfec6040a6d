"""Digests of source code that comments, docstrings and layout leave unchanged."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from lstmstudy import paths

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_PACKAGE = __name__.partition(".")[0]


def _bare(tree: ast.Module) -> ast.Module:
    """Return `tree` without docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and (
            ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def code_digest(code: str) -> str:
    """Return the SHA-256 (hex) of the syntax of `code`; comments, docstrings and layout do not count."""
    return hashlib.sha256(ast.unparse(_bare(ast.parse(code))).encode()).hexdigest()


def module_path(module: str) -> Path:
    """Return the file of a module; one of this package is found without importing it.

    Raises:
        ValueError: If it has no file that could be imported, such as what is typed into a notebook.
    """
    if module.partition(".")[0] == _PACKAGE:
        path = paths.CODE.parent.joinpath(*module.split("."))
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):  # what runs as __main__ may have no specification
        found = None
    if module == "__main__" or found is None or not found.has_location or found.origin is None:
        msg = f"The code of a technique lives in modules that can be imported. Received: {module=}"
        raise ValueError(msg)
    return Path(found.origin)


def package_modules(without: Collection[str]) -> list[str]:
    """Return the dotted names of this package's modules, in order.

    Args:
        without: Modules and packages to leave out, named without the package: ``"build"``, ``"workers.pace"``.
    """
    found = (path.relative_to(paths.CODE).with_suffix("").parts for path in sorted(paths.CODE.rglob("*.py")))
    beside = {tuple(name.split(".")) for name in without}
    return [
        ".".join((_PACKAGE, *parts))
        for parts in found
        if not any(parts[:length] in beside for length in range(1, len(parts) + 1))
    ]


def _module_digest(module: str) -> str:
    # A file of the reader's own may be written anew and reloaded; this package is read once per process.
    return (_digest_of_ours if module.partition(".")[0] == _PACKAGE else _digest)(module)


def _digest(module: str) -> str:
    return code_digest(module_path(module).read_text(encoding="utf-8"))


_digest_of_ours = functools.cache(_digest)


def source_digest(modules: Sequence[str]) -> str:
    """Return the SHA-256 (hex) over the syntax of the named modules.

    A file of this package is read once per process, any other one at every call.

    Args:
        modules: Dotted names such as ``"lstmstudy.training.train"``; their order does not count.
    """
    lines = [f"{module} {_module_digest(module)}" for module in sorted(set(modules))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
