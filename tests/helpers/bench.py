"""Running ``homing bench`` in this process."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest

from homing.cli import main


def run_bench(*arguments, out=None):
    """Run the command; its exit status, output and errors."""
    out, err = out or io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        # These belong to a process of its own.
        patch.setattr(sys.modules["homing.cli.main"], "keep_freed_memory", lambda: None)
        patch.setattr(sys, "excepthook", sys.excepthook)
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left:
            main(["bench", *map(str, arguments)])
    assert "Traceback" not in err.getvalue()
    assert "internal error" not in err.getvalue()
    return left.value.code, out.getvalue(), err.getvalue()
