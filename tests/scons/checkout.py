# SPDX-License-Identifier: Apache-2.0
"""A copy of the source tree in a folder of its own, with a small product, that tests may build and change."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from muster.build.driver import source_root
from muster.keystore import KeyStore

PRODUCT_TOML = """\
name = "lamp"
id = 4711
version = 2
security_counter = 7
hardware_revisions = [1, 3]
sources = ["lamp.c", "glow.c"]

[[earlier]]
version = 1
replace = {"glow.c" = "earlier/1/glow.c"}
"""

LAMP_C = """\
#include "agent/agent.h"
#include "glow.h"

static uint32_t count = 5;
/* A word that holds an address: the image needs relocation for it. */
static const char *const name = __FILE__;

void product_setup(void) { agent_log(AGENT_INFO, "%s %u", name, (unsigned)glow()); }

void product_loop(void) { count++; }
"""

GLOW_H = "#include <stdint.h>\n\nuint32_t glow(void);\n"


@dataclass(frozen=True, slots=True)
class Checkout:
    """Attributes: root of the copied tree, folder of the product, folder of the keys."""

    root: Path
    product: Path
    keys: Path

    @classmethod
    def make(cls, folder: Path, keys: KeyStore) -> Checkout:
        """Copies the tree; the product lies outside it, and neither path is free of spaces."""
        root = folder / "source tree"
        ignored = shutil.ignore_patterns("__pycache__", "*.so")
        for name in ("firmware", "tools"):
            shutil.copytree(source_root() / name, root / name, ignore=ignored)
        shutil.copy(source_root() / "SConstruct", root)
        product = folder / "my lamp"
        (product / "earlier" / "1").mkdir(parents=True)
        (product / "product.toml").write_text(PRODUCT_TOML)
        (product / "lamp.c").write_text(LAMP_C)
        (product / "glow.h").write_text(GLOW_H)
        (product / "glow.c").write_text('#include "glow.h"\n\nuint32_t glow(void) { return 20; }\n')
        (product / "earlier" / "1" / "glow.c").write_text('#include "glow.h"\n\nuint32_t glow(void) { return 10; }\n')
        shutil.copytree(keys.folder, folder / "keys")
        return cls(root, product, folder / "keys")

    def copy(self, folder: Path) -> Checkout:
        """The same tree in another folder, with all that was built."""
        shutil.copytree(self.root.parent, folder, dirs_exist_ok=True)
        return Checkout(*(folder / path.relative_to(self.root.parent) for path in (self.root, self.product, self.keys)))

    @property
    def out(self) -> Path:
        return self.root / "build" / "lamp" / "photon"

    def scons(self, *arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Builds the product for the Photon; `path` goes before the PATH."""
        before = f"{path}{os.pathsep}" if path is not None else ""
        environment = {
            **os.environ,
            "PATH": before + os.environ["PATH"],
            "PYTHONPATH": str(self.root / "tools"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, "-m", "SCons", "-Q", "-j2", "--debug=stacktrace"]
        command += [f"PRODUCT={self.product}", f"KEYS={self.keys}", "PLATFORM=photon", *arguments]
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, check=False)

    def build(self, *arguments: str, path: Path | None = None) -> set[str]:
        """Builds, and says which steps were done, without the folder of the outputs: `sign lamp.bin`."""
        done = self.scons(*arguments, path=path)
        assert done.returncode == 0, done.stdout + done.stderr
        steps = (line.replace(f"{self.out.relative_to(self.root)}/", "") for line in done.stdout.splitlines())
        return {step for step in steps if step.split()[0] in STEP_VERBS}

    def edit(self, path: str, old: str, new: str) -> None:
        """Changes a file of the tree; the text must be there."""
        file = self.root / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))


STEP_VERBS = ("compile", "link", "write", "sign", "measure", "flatten", "fetch", "Install")
