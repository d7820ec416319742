# SPDX-License-Identifier: Apache-2.0
"""Runs Particle's npm package particle-cli, pinned by particle_cli/package-lock.json, on the Node of node.txt."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.foreign.packages import installed, installed_node

SOURCES = Path(__file__).parent / "particle_cli"
CLIENT = "CLI2"
"""The OAuth client that it says it is."""
TIMEOUT_S = 120
_CONTROL = re.compile(r"\x1b\[[0-9]*[A-Z]")
"""What clears the line of its spinner."""


@dataclass(frozen=True, slots=True)
class ParticleCommand:
    """The command, with a home of its own in which it knows one server only."""

    node: Path
    program: Path
    home: Path

    @classmethod
    def install(cls, cache: Path, scratch: Path, url: str) -> ParticleCommand:
        """`scratch`: an empty folder."""
        for name in ("packages", "node", "home/.particle"):
            (scratch / name).mkdir(parents=True)
        packages = installed(SOURCES, cache, scratch / "packages")
        node = installed_node(SOURCES / "node.txt", cache, scratch / "node")
        made = cls(node, packages / "node_modules" / "particle-cli" / "src" / "index.js", scratch / "home")
        made._configure("profile", {"name": "local"})
        made._configure("local.config", {"apiUrl": url})
        return made

    def run(self, *arguments: str, expect: int = 0) -> str:
        """Runs a command; returns what it printed."""
        done = subprocess.run(
            self._command(arguments),
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == expect, (arguments[:2], done.stdout, done.stderr)
        return _CONTROL.sub("", done.stdout + done.stderr)

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on until it has seen enough, or the test ends."""
        with subprocess.Popen(
            self._command(arguments),
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def config(self) -> dict[str, object]:
        """What it remembers of the server: address, user, token."""
        found: dict[str, object] = json.loads(self._path("local.config").read_text())
        return found

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [str(self.node), str(self.program), *arguments]

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": f"{self.node.parent}:/usr/bin:/bin",
            "PARTICLE_DISABLE_UPDATE": "true",
            "NO_COLOR": "1",
        }

    def _configure(self, name: str, content: dict[str, str]) -> None:
        self._path(name).write_text(json.dumps(content))

    def _path(self, name: str) -> Path:
        return self.home / ".particle" / f"{name}.json"
