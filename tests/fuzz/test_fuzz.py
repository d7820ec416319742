# SPDX-License-Identifier: Apache-2.0
"""The decoder under libFuzzer, briefly; `python tests/fuzz` does it for long. docs/spec/patch.md sections 10 and 11."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from muster.delta import apply
from tests.fuzz.build import DEVICE_KINDS, ROOT, BuildFailure, Fuzzer, build, decoder_hash
from tests.fuzz.campaign import COMMITTED_CORPUS, COMMITTED_FILES_MAX, COMMITTED_SIZE_MAX, Finding, Running
from tests.fuzz.seeds import HEAD_SIZE, bases, inputs, samples

# A mistake that the fuzzer must find: the file of firmware/core/src, what stands there, what is put in its place.
_MISTAKES = {
    "a read behind the base": (
        "delta_source.c",
        "end = base_len, place = source;",
        "end = base_len + 1, place = source;",
    ),
    "a copy of what is not written yet": (
        "delta_copy.c",
        "source < base_len ? pending->len <= base_len - source : source - base_len < pending->target;",
        "source < base_len ? pending->len <= base_len - source : true;",
    ),
    "a copy that runs into the next segment": (
        "delta_copy.c",
        "if (len > end - kept->position) ota_delta_fail(",
        "if (len > kept->target_body_len) ota_delta_fail(",
    ),
    "a table that is longer than announced": (
        "delta_table.c",
        "if (table->len >= ota_delta_table_len(header, &header->target)) {",
        "if (table->len >= ota_delta_table_len(header, &header->target) + 4096) {",
    ),
    "a target that is not compared": (
        "delta_output.c",
        "target_check, OTA_DELTA_TARGET_CHECK_LEN);",
        "target_check, 1);",
    ),
    "a look-ahead filled by one byte too many": (
        "delta_input.c",
        "ota_min_u32(len, OTA_DELTA_LOOKAHEAD_SIZE - kept);",
        "ota_min_u32(len, OTA_DELTA_LOOKAHEAD_SIZE - kept + 1);",
    ),
    "a window filled by one byte too many": (
        "delta_source.c",
        "ota_min_u32(OTA_DELTA_WINDOW_SIZE, end - delta->window_first);",
        "ota_min_u32(OTA_DELTA_WINDOW_SIZE + 1, end - delta->window_first);",
    ),
    "a look-ahead that never has enough": (
        "delta.c",
        "available < OTA_DELTA_STEP_INPUT_MAX) return;",
        "available <= OTA_DELTA_LOOKAHEAD_SIZE) return;",
    ),
    "a step that begins too early": (
        "delta.c",
        "available < OTA_DELTA_STEP_INPUT_MAX) return;",
        "available < 8) return;",
    ),
    "a profile that does not fit the memory": (
        "delta.c",
        "if (ota_delta_counters_of(kept->header.profile) > delta->counters_len)",
        "if (kept->header.profile > 2)",
    ),
    "a checkpoint without its counters": (
        "delta_save.c",
        "memcpy(delta->counters, saved + sizeof *kept, counters_len(kept));",
        "memset(delta->counters, 0x80, counters_len(kept));",
    ),
    "a damaged checkpoint that is believed": (
        "delta_save.c",
        "if (ota_crc32(0, saved, len - OTA_DELTA_SAVED_CRC_LEN) != ",
        "if (len == 0 && ota_crc32(0, saved, len - OTA_DELTA_SAVED_CRC_LEN) != ",
    ),
}


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Fuzzer:
    return build(tmp_path_factory.mktemp("fuzz"))


@pytest.fixture(scope="module")
def device_fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Fuzzer:
    return build(tmp_path_factory.mktemp("device"), kinds=DEVICE_KINDS)


def fuzz(fuzzer: Fuzzer, folder: Path, runs: int) -> int:
    """Runs seeds, committed corpus and mutations of them; returns the number of executions. Raises Finding."""
    corpus = folder / "corpus"
    corpus.mkdir()
    return Running(fuzzer, folder, corpus, runs, seed=1).result().executions


def test_mutated_patches_find_nothing(fuzzer: Fuzzer, tmp_path: Path) -> None:
    assert fuzz(fuzzer, tmp_path, 20_000) >= 20_000


def test_mutated_patches_find_nothing_in_what_devices_have(device_fuzzer: Fuzzer, tmp_path: Path) -> None:
    assert fuzz(device_fuzzer, tmp_path, 10_000) >= 10_000


@pytest.mark.full
def test_a_million_mutated_patches_find_nothing(fuzzer: Fuzzer, tmp_path: Path) -> None:
    assert fuzz(fuzzer, tmp_path, 1_000_000) >= 1_000_000


@pytest.mark.parametrize("mistake", _MISTAKES)
def test_mistakes_can_still_be_made(mistake: str) -> None:
    name, right, wrong = _MISTAKES[mistake]
    assert (ROOT / "firmware" / "core" / "src" / name).read_text().count(right) == 1
    assert wrong != right


@pytest.mark.full
@pytest.mark.parametrize("mistake", _MISTAKES)
def test_a_mistake_in_the_decoder_is_found(tmp_path: Path, mistake: str) -> None:
    name, right, wrong = _MISTAKES[mistake]
    core = tmp_path / "firmware" / "core"
    shutil.copytree(ROOT / "firmware" / "core", core)
    source = core / "src" / name
    text = source.read_text()
    assert text.count(right) == 1
    source.write_text(text.replace(right, wrong))
    with pytest.raises(Finding) as finding:
        fuzz(build(tmp_path, tmp_path), tmp_path, 500_000)
    reproducer = finding.value.reproducer
    assert reproducer is not None
    assert reproducer.read_bytes()


def test_seeds_are_patches_that_hold() -> None:
    """What the fuzzer begins with goes through the whole decoder."""
    for sample in samples():
        base = bases()[sample.base_number]
        assert apply(base.raw, sample.patch) == sample.target
    assert {content[HEAD_SIZE:] for content in inputs()} >= {sample.patch for sample in samples()}


def test_committed_corpus_is_small() -> None:
    sizes = [path.stat().st_size for path in COMMITTED_CORPUS.iterdir()]
    assert 10 <= len(sizes) <= COMMITTED_FILES_MAX
    assert max(sizes) <= COMMITTED_SIZE_MAX


def test_a_count_belongs_to_the_code_and_not_to_its_comments(tmp_path: Path) -> None:
    core = tmp_path / "firmware" / "core"
    shutil.copytree(ROOT / "firmware" / "core", core)
    header = core / "include" / "ota" / "delta.h"
    text = header.read_text()
    header.write_text(text.replace("\n\n", "\n/* a comment\n   more */\n"))
    assert decoder_hash(tmp_path) == decoder_hash()
    for numbers in (core / "src" / "delta_tables.c", core / "src" / "delta_byte_tables.c"):
        numbers.write_text(numbers.read_text() + "const int other_numbers;\n")
    assert decoder_hash(tmp_path) == decoder_hash()
    header.write_text(text.replace("OTA_DELTA_CHECKPOINT_LEN = ", "OTA_DELTA_CHECKPOINT_LEN = 1 + "))
    assert decoder_hash(tmp_path) != decoder_hash()
    with pytest.raises(BuildFailure):
        build(tmp_path, tmp_path)
