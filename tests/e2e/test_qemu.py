# SPDX-License-Identifier: Apache-2.0
"""A second opinion on CPU, vectors and UART: QEMU runs the same binaries.

Its machine has no clock tree, no flash controller and no unique id, so this goes as far as the first lines.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from muster.build.driver import Built

_PATIENCE_S = 60.0
"""Far more than it takes (0.2 s): only a machine that hangs gets here."""


def _first_output(hex_path: Path, until: bytes) -> bytes:
    command = ["qemu-system-arm", "-machine", "netduino2", "-nographic", "-monitor", "none", "-serial", "stdio"]
    command += ["-device", f"loader,file={hex_path}"]
    output = b""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as qemu:
        assert qemu.stdout is not None
        try:
            deadline = time.monotonic() + _PATIENCE_S
            with selectors.DefaultSelector() as selector:
                selector.register(qemu.stdout, selectors.EVENT_READ)
                while until not in output and selector.select(deadline - time.monotonic()):
                    piece = os.read(qemu.stdout.fileno(), 4096)
                    if not piece:
                        break
                    output += piece
        finally:
            qemu.kill()
    return output


@pytest.mark.parametrize("platform", ["photon", "p1", "electron"])
def test_qemu_boots_the_same_binaries_to_the_first_lines(built: Callable[..., Built], platform: str) -> None:
    blink = built("blink", platform)
    output = _first_output(blink.image_path.with_suffix(".hex"), b"slot A, confirmed\r\n")
    assert b"muster boot 1: slot A confirmed\r\n" in output
    assert b"info blink version 1, slot A, confirmed\r\n" in output
