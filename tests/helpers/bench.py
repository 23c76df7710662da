"""``homing bench`` run in this process, and made-up pictures and vectors for its parts."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest

from homing.cli import main
from homing.images import FoundPicture

DIMENSION = 32


def run_bench(*arguments, out=None):
    """Run the command; return its exit status, output and errors."""
    out, err = out or io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        # They would change the process of the tests.
        patch.setattr(sys.modules["homing.cli.main"], "keep_freed_memory", lambda: None)
        patch.setattr(sys, "excepthook", sys.excepthook)
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left:
            main(["bench", *map(str, arguments)])
    assert "Traceback" not in err.getvalue()
    assert "internal error" not in err.getvalue()
    return left.value.code, out.getvalue(), err.getvalue()


def found_pictures(folder, count):
    """Return pictures 0.jpg, 1.jpg … as found in a folder, without files."""
    return [FoundPicture(Path(f"/{folder}/{n}.jpg"), f"{n}.jpg") for n in range(count)]


def random_unit_vectors(generator, *shape):
    """Return float32 vectors along the last axis, normalised in single precision."""
    vectors = generator.standard_normal(shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def seeded_unit_vectors(count, seed):
    return random_unit_vectors(np.random.default_rng(seed), count, DIMENSION)
