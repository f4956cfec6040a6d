"""What IPython shows of a mistake in a cell: the cell's own lines and the message."""

from __future__ import annotations

import sys
from types import TracebackType

from lstmstudy import paths

_PACKAGE = str(paths.CODE)


def cell_traceback(error: BaseException) -> list[str]:
    """Return the traceback of an error as IPython formats it, up to where the package was called."""
    shell = sys.modules["IPython"].get_ipython()  # who calls this is IPython
    formatter = shell.InteractiveTB
    return list(formatter.structured_traceback(type(error), error, _outside(error.__traceback__)))


def _outside(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames of this package, and what they called."""
    if trace is None or trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        return None
    return TracebackType(_outside(trace.tb_next), trace.tb_frame, trace.tb_lasti, trace.tb_lineno)
