# SPDX-License-Identifier: Apache-2.0
"""The launcher in a folder of its own, on a machine where Python, pip, apt-get and sudo are small scripts."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from muster.build.driver import source_root

# Real programs that the launcher may use.
REAL_PROGRAMS = (
    *("cat", "chmod", "cp", "dirname", "env", "find", "flock", "head", "mkdir"),
    *("mv", "readlink", "rm", "sh", "tail", "tr", "true"),
)

# Says that it is a new Python with everything it needs; makes a .venv whose Python is itself.
PYTHON = """\
#!/bin/sh
echo "python $*" >> "$CALLS"
case $1 in
    -c)
        case $2 in *version_info\\ *) [ ! -e "$MACHINE/old-python" ] ;; *ensurepip*) [ ! -e "$MACHINE/no-venv" ] ;; esac
        code=$?
        case $2 in *-venv*) echo python3-venv ;; esac
        exit $code
        ;;
esac
case "$2" in
    venv)
        rm -rf "$4"
        mkdir -p "$4/bin"
        cp "$0" "$4/bin/python"
        ;;
    pip)
        if [ -e "$MACHINE/pip-fails" ]; then
            echo 'no such package: moonlight' >&2
            exit 1
        fi
        printf '#!/bin/sh\\necho "cli $*"\\n' > .venv/bin/muster
        chmod +x .venv/bin/muster
        ;;
esac
"""

APT_GET = """\
#!/bin/sh
echo "apt-get $*" >> "$CALLS"
case "$*" in
    *arm-none-eabi*) cp "$MACHINE/compiler" "$MACHINE/bin/arm-none-eabi-gcc" ;;
    *qemu*) cp "$MACHINE/compiler" "$MACHINE/bin/qemu-system-arm" ;;
    *python3-venv*) rm -f "$MACHINE/no-venv" ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Attributes: folder of the checkout; folder of the machine, with its programs in `bin`."""

    root: Path
    machine: Path

    @classmethod
    def make(cls, folder: Path) -> Sandbox:
        sandbox = cls(folder / "a checkout", folder / "machine")
        for name in ("firmware/core", "tools/muster/native", "ota_server/dashboard/assets"):
            (sandbox.root / name).mkdir(parents=True)
        shutil.copy(source_root() / "muster", sandbox.root)
        for name in ("pyproject.toml", "setup.py", "constraints.txt", "firmware/core/core.c"):
            sandbox.write(name)
        (sandbox.machine / "bin").mkdir(parents=True)
        for name in REAL_PROGRAMS:
            real = shutil.which(name)
            assert real is not None
            (sandbox.machine / "bin" / name).symlink_to(real)
        sandbox.program("python3", PYTHON)
        sandbox.program("apt-get", APT_GET)
        sandbox.program("gcc", "#!/bin/sh\n")
        sandbox.program("id", "#!/bin/sh\necho 0\n")
        (sandbox.machine / "compiler").write_text("#!/bin/sh\necho /usr/lib/libc_nano.a\n")
        (sandbox.machine / "compiler").chmod(0o755)
        return sandbox

    def write(self, name: str, age_s: int = 100) -> None:
        """Writes a file of the checkout, changed so many seconds ago."""
        path = self.root / name
        path.write_text("x\n")
        now = path.stat().st_mtime
        os.utime(path, (now - age_s, now - age_s))

    def program(self, name: str, text: str) -> None:
        path = self.machine / "bin" / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    @property
    def environment(self) -> dict[str, str]:
        machine = str(self.machine)
        return {"PATH": f"{machine}/bin", "MACHINE": machine, "CALLS": f"{machine}/calls", "HOME": machine}

    def start(self, *arguments: str, launcher: Path | None = None) -> subprocess.Popen[str]:
        """Starts the launcher from another folder."""
        command = [str(launcher or self.root / "muster"), *arguments]
        out = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.machine, env=self.environment, stdout=out, stderr=out, text=True)

    def run(self, *arguments: str, launcher: Path | None = None) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, launcher=launcher)
        stdout, stderr = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def calls(self, program: str) -> list[str]:
        """How a program was called so far, and forgets it."""
        path = self.machine / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.write_text("")
        return [line for line in lines if line.startswith(f"{program} ")]

    def installs(self) -> list[str]:
        """What pip was asked to install so far: the extras of each call."""
        return [call.rpartition("-e .")[2] for call in self.calls("python") if " pip install " in call]
