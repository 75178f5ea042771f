"""Skips what needs a server that this machine lacks, and forbids just that on the build machine (CI=true)."""

import os
import shutil

import pytest
from hypothesis import settings

NEEDS = {
    "mosquitto": ("mosquitto", "mosquitto_pub"),
    "browser": ("chromium",),
    "bluez": ("dbus-daemon",),
    "victoria": ("victoria-metrics",),
}
"""Marker -> the programs that its tests start."""

settings.register_profile("vaka", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("vaka")

SERVER_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
ON_CI = os.environ.get("CI", "").lower() in {"1", "true"}


def lacking(marker: str) -> list[str]:
    return [name for name in NEEDS[marker] if shutil.which(name, path=SERVER_PATH) is None]


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in NEEDS:
        if item.get_closest_marker(marker) and (missing := lacking(marker)):
            reason = f"needs {' and '.join(missing)}: run scripts/system-packages as root"
            if ON_CI:
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> object:
    """Turn a server test's skip, wherever it was said, into a failure on the build machine."""
    report = yield
    if ON_CI and report.skipped and any(item.get_closest_marker(marker) for marker in NEEDS):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI=true forbids for a server test: {report.longrepr}"
    return report
