"""Outside programs that tests need: found, or installed by apt where allowed, or the test is skipped."""

import os
import shutil
import subprocess
from ctypes.util import find_library

# For promtool, which is done so soon that Go's collector clears up for nothing: a quarter of its work.
BRIEF = {**os.environ, "GOGC": "400"}


def need(program: str, package: str) -> str:
    """The path of `program`. Root gets Debian's `package` installed; for others the test is skipped."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found:
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _install(package)
        found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if not found:
        import pytest  # the lab also runs where pytest is not installed

        pytest.skip(f"{program} is missing and could not be installed: apt-get install {package}")
    return found


def need_library(name: str, package: str) -> None:
    """The system's library `name`, as the linker calls it. Where it is missing: as for a program."""
    if find_library(name) is None and os.geteuid() == 0 and shutil.which("apt-get"):
        _install(package)
    if find_library(name) is None:
        import pytest  # the lab also runs where pytest is not installed

        pytest.skip(f"the library {name} is missing and could not be installed: apt-get install {package}")


def _install(package: str) -> None:
    """Debian's `package`, quietly; whether it worked shows in what is there afterwards."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", package]):
        subprocess.run(["apt-get", *step], env=quiet, check=False, capture_output=True, timeout=300)
