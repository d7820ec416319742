# SPDX-License-Identifier: Apache-2.0
"""Runs this project's encoder and every peer over pairs; what peers made is kept, because they are slow."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.delta_corpus import Pair
from tests.benchmarks.delta_peers import PEERS
from tests.benchmarks.delta_setup import Toolbox

_HERE = Path(__file__).parent
_PINNED = re.compile(r"^([A-Za-z0-9_.-]+)==(\S+)", re.MULTILINE)


class RunError(Exception):
    """A patch of this project's can not be made or applied, or a measuring process failed."""


@dataclass(frozen=True, slots=True)
class Ours:
    """A patch of this project's, applied by the device's decoder: lengths in bytes, memory in KiB."""

    bytes: int
    header_bytes: int
    full_bytes: int
    seconds: float
    apply_seconds: float
    peak_kib: int


@dataclass(frozen=True, slots=True)
class PeerPatch:
    """The smallest patch of one peer, and the setting that made it."""

    setting: str
    bytes: int
    seconds: float
    peak_kib: int


@dataclass(frozen=True, slots=True)
class Row:
    """Everything measured about one pair."""

    pair: Pair
    ours: Ours
    peers: dict[str, PeerPatch]
    problems: tuple[str, ...] = ()
    """Settings of peers that made no patch that their own decoder takes."""

    def best(self, *, on_device: bool = False) -> str | None:
        """The peer with the smallest patch; None when no peer has one."""
        names = [name for name in self.peers if PEERS[name].on_device or not on_device]
        return min(names, key=lambda name: self.peers[name].bytes, default=None)

    def ratio(self, *, on_device: bool = False) -> float | None:
        best = self.best(on_device=on_device)
        return self.ours.bytes / self.peers[best].bytes if best else None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.pair.name,
            "base_len": len(self.pair.base),
            "target_len": len(self.pair.target),
            "load_base": self.pair.load_base,
            "only_version_differs": self.pair.only_version_differs,
            "ours": asdict(self.ours),
            "peers": {name: asdict(patch) for name, patch in self.peers.items()},
            "best": self.best(),
            "best_on_device": self.best(on_device=True),
            "problems": self.problems,
        }


def measure_ours(pair: Pair) -> Ours:
    """Encodes and applies in a process of its own.

    Raises:
        RunError: encoder or decoder refuse, or the decoder makes something else than the target.
    """
    answer = json.loads(_run_on(pair, [sys.executable, str(_HERE / "delta_ours.py")]))
    problem = answer.pop("problem")
    if problem:
        raise RunError(f"{pair.name}: {problem}")
    return Ours(**answer)


class PeerCache:
    """Results of peers on disk, by what they depend on: version, setting, both images and the load base.

    A setting that changes its meaning takes another name.
    """

    def __init__(self, folder: Path, toolbox: Toolbox, versions: Mapping[str, str], *, fresh: bool = False) -> None:
        self._folder = folder
        self._toolbox = toolbox
        self._fresh = fresh
        self._versions = versions

    def measure(self, pair: Pair, peers: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        """What each setting of each peer made of the pair: the lines that delta_peers.py prints.

        Raises:
            RunError: the measuring process failed.
        """
        path = self._folder / f"{_fingerprint(pair)}.json"
        known: dict[str, dict[str, Any]] = {}
        if path.exists() and not self._fresh:
            known = json.loads(path.read_text(encoding="utf-8"))
        wanted = {self._key(peer, setting): (peer, setting) for peer in peers for setting in PEERS[peer].settings}
        missing = [job for key, job in wanted.items() if key not in known]
        if missing:
            command = [str(self._toolbox.python), str(_HERE / "delta_peers.py")]
            lines = "".join(f"{json.dumps(job)}\n" for job in missing)
            for line in _run_on(pair, command, lines, self._toolbox.environment).splitlines():
                answer = json.loads(line)
                known[self._key(answer["peer"], answer["setting"])] = answer
            self._write(path, known)
        found: dict[str, list[dict[str, Any]]] = {}
        for key, (peer, _) in wanted.items():
            found.setdefault(peer, []).append(known[key])
        return found

    def _key(self, peer: str, setting: str) -> str:
        made_by = ", ".join(f"{name} {self._versions[name]}" for name in PEERS[peer].packages)
        return f"{peer} | {setting} | {made_by}"

    def _write(self, path: Path, known: dict[str, dict[str, Any]]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        near = path.with_suffix(".new")
        near.write_text(json.dumps(known, indent=1), encoding="utf-8")
        near.rename(path)


def smallest(found: dict[str, list[dict[str, Any]]]) -> tuple[dict[str, PeerPatch], tuple[str, ...]]:
    """Each peer's smallest patch, and what failed."""
    patches = {}
    problems = []
    for peer, answers in found.items():
        problems += [f"{peer}, {answer['setting']}: {answer['problem']}" for answer in answers if answer["problem"]]
        made = [answer for answer in answers if answer["bytes"] is not None]
        if made:
            best = min(made, key=lambda answer: int(answer["bytes"]))
            patches[peer] = PeerPatch(best["setting"], best["bytes"], best["seconds"], best["peak_kib"])
    return patches, tuple(problems)


def peer_versions(toolbox: Toolbox) -> dict[str, str]:
    """Of every pinned package and both programs."""
    found = dict(_PINNED.findall((_HERE / "delta_peers.txt").read_text(encoding="utf-8")))
    for program in ("xdelta3", "zstd"):
        done = subprocess.run([program, "-V"], check=True, capture_output=True, text=True, env=toolbox.environment)
        number = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
        assert number is not None
        found[program] = number.group()
    return found


def _fingerprint(pair: Pair) -> str:
    digests = hashlib.sha256(pair.base).digest() + hashlib.sha256(pair.target).digest()
    return hashlib.sha256(digests + pair.load_base.to_bytes(4, "little")).hexdigest()[:32]


def _run_on(pair: Pair, command: list[str], lines: str = "", environment: dict[str, str] | None = None) -> str:
    with tempfile.TemporaryDirectory() as folder:
        old, new = Path(folder) / "old", Path(folder) / "new"
        old.write_bytes(pair.base)
        new.write_bytes(pair.target)
        arguments = [*command, str(old), str(new), hex(pair.load_base)]
        done = subprocess.run(arguments, check=False, capture_output=True, text=True, input=lines, env=environment)
    if done.returncode:
        raise RunError(f"{pair.name}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'no answer'}")
    return done.stdout
