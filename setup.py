# SPDX-License-Identifier: Apache-2.0
"""The two import packages and the native module; everything else is in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages("tools", include=["muster", "muster.*"]),
        *find_packages(".", include=["ota_server", "ota_server.*"]),
    ],
    package_data={
        "muster": ["py.typed"],
        "ota_server": ["py.typed"],
        "ota_server.mail": ["templates/*.html"],
        "ota_server.dashboard": ["templates/*.html", "templates/parts/*.html", "static/*"],
    },
    cffi_modules=["tools/muster/native/build.py:decoder", "tools/muster/native/build.py:encoder"],
)
