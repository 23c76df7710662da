"""A Ray cluster that the tests start themselves, as a user's program may."""

import contextlib
import os
import warnings

import pytest

from homing.workers import ray as cluster
from tests.helpers import ROOT


@contextlib.contextmanager
def own_ray():
    """Start a cluster of two processors, whose workers can import the tests."""
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # announcements of Ray's next version
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        patch.setenv("PYTHONPATH", path)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_TOKEN", cluster._auth_token())
        ray.init(
            "local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=40
        )
        try:
            yield ray
        finally:
            ray.shutdown()
