"""Hydra's own suites for launchers, run against hydra/launcher=stacked.

Their task functions are not rnnlab's, for which it behaves as Hydra's basic launcher.
"""

import os
import sys

import hydra
import pytest
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.plugins.launcher import Launcher
from hydra.test_utils.launcher_common_tests import IntegrationTestSuite, LauncherTestSuite
from hydra.version import VersionBase

from hydra_plugins.rnnlab_launcher.stacked import StackedLauncher


@pytest.fixture(autouse=True)
def _no_version_base():
    """As in a process of their own: other tests have chosen a version_base, and it stays."""
    before = Singleton.get_state()
    kept = {kind: one for kind, one in before["instances"].items() if kind is not VersionBase}
    Singleton.set_state(before | {"instances": kept})
    yield
    Singleton.set_state(before)


def test_hydra_finds_the_launcher():
    found = [plugin.__name__ for plugin in Plugins.instance().discover(Launcher)]
    assert StackedLauncher.__name__ in found


@pytest.mark.parametrize(("launcher_name", "overrides"), [("stacked", [])])
class TestStackedLauncher(LauncherTestSuite):
    pass


OF_3_14 = sys.version_info >= (3, 14) or "python3.14" in os.environ.get("ELSEWHERE", "")


@pytest.mark.skipif(
    OF_3_14 and hydra.__version__.startswith("1.3"),
    reason="Hydra 1.3's own programs do not start on Python 3.14 (hydra#3121)",
)
@pytest.mark.parametrize(
    ("task_launcher_cfg", "extra_flags"), [({}, ["-m", "hydra/launcher=stacked"])]
)
class TestStackedLauncherIntegration(IntegrationTestSuite):
    pass
