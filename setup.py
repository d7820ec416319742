# SPDX-License-Identifier: Apache-2.0
"""The two import packages, the native module and the dashboard's assets; everything else is in pyproject.toml."""

import subprocess
import sys

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py


class BuildWithAssets(build_py):
    """Fetches what the dashboard uses of others before the packages' files are gathered."""

    def run(self) -> None:
        subprocess.run([sys.executable, "ota_server/dashboard/assets/fetch.py"], check=True)
        super().run()


setup(
    cmdclass={"build_py": BuildWithAssets},
    packages=[
        *find_packages("tools", include=["muster", "muster.*"]),
        *find_packages(".", include=["ota_server", "ota_server.*"]),
    ],
    package_data={
        "muster": ["py.typed"],
        "ota_server": ["py.typed"],
        "ota_server.mail": ["templates/*.html"],
        "ota_server.dashboard": ["templates/*.html", "templates/parts/*.html", "static/*", "static/vendor/*"],
    },
    cffi_modules=["tools/muster/native/build.py:decoder", "tools/muster/native/build.py:encoder"],
)
