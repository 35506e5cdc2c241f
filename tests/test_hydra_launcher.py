"""Hydra's own suites for launchers, run against hydra/launcher=stacked.

Their task functions are not rnnlab's, for which it behaves as Hydra's basic launcher.
"""

import pytest
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.test_utils.launcher_common_tests import IntegrationTestSuite, LauncherTestSuite
from hydra.version import _UNSPECIFIED_, VersionBase

from hydra_plugins.rnnlab_launcher.stacked import StackedLauncher


@pytest.fixture(autouse=True)
def _no_version_base(monkeypatch):
    """As in a process of their own: other tests have chosen a version_base, and it stays."""
    monkeypatch.setattr(VersionBase.instance(), "version_base", _UNSPECIFIED_)


def test_hydra_finds_the_launcher():
    found = [plugin.__name__ for plugin in Plugins.instance().discover(Launcher)]
    assert StackedLauncher.__name__ in found


@pytest.mark.parametrize(("launcher_name", "overrides"), [("stacked", [])])
class TestStackedLauncher(LauncherTestSuite):
    pass


@pytest.mark.parametrize(
    ("task_launcher_cfg", "extra_flags"), [({}, ["-m", "hydra/launcher=stacked"])]
)
class TestStackedLauncherIntegration(IntegrationTestSuite):
    pass
