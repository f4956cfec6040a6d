"""Digests of source code that comments, docstrings and layout leave unchanged."""

from __future__ import annotations

import ast
import functools
import hashlib
from typing import TYPE_CHECKING

from lstmstudy import paths

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


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
    """Return the file of a module of this package, without importing it."""
    path = paths.ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@functools.cache
def _module_digest(module: str) -> str:
    return code_digest(module_path(module).read_text(encoding="utf-8"))


def source_digest(modules: Sequence[str]) -> str:
    """Return the SHA-256 (hex) over the syntax of the named modules, read once per process.

    Args:
        modules: Dotted names such as ``"lstmstudy.training"``; their order does not count.
    """
    lines = [f"{module} {_module_digest(module)}" for module in sorted(set(modules))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
