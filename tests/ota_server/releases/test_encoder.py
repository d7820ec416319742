# SPDX-License-Identifier: Apache-2.0
"""Patches are made in a process with limits, and measured; what cannot be made says why, and the next one is made."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing

import pytest

from muster import delta
from ota_server.releases.encoder import EncoderStopped, PatchNotMade, ProcessEncoder
from tests.ota_server import keys

ONE, TWO = keys.image(1).raw, keys.image(2).raw


@pytest.fixture(scope="module")
def encoder() -> Iterator[ProcessEncoder]:
    with closing(ProcessEncoder()) as made:
        yield made


def test_patch_decodes_to_its_target_and_is_measured(encoder: ProcessEncoder) -> None:
    made = encoder.make(ONE, TWO)
    assert made.raw == delta.encode(ONE, TWO).raw, "whoever makes it, the bytes are the same"
    assert made.duration_ms > 0
    assert made.memory_bytes > len(ONE) + len(TWO)
    assert delta.apply(b"", encoder.make(b"", TWO).raw) == TWO


def test_what_cannot_be_coded_says_why_and_does_not_end_the_process(encoder: ProcessEncoder) -> None:
    with pytest.raises(PatchNotMade, match="longer than"):
        encoder.make(ONE, bytes(3_000_000))
    assert encoder.make(ONE, TWO).raw


def test_limit_of_memory_ends_one_patch_and_no_other() -> None:
    with closing(ProcessEncoder(memory_max=1_000_000)) as small:
        for _ in range(2):
            with pytest.raises(PatchNotMade, match="1000000 bytes of memory"):
                small.make(ONE, TWO)


def test_process_that_was_killed_is_started_again(encoder: ProcessEncoder) -> None:
    assert encoder.make(ONE, TWO).raw
    process = encoder._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(EncoderStopped):
        encoder.make(ONE, TWO)
    assert encoder.make(ONE, TWO).raw
