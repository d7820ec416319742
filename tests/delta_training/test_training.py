# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from pathlib import Path

import pytest

from delta_training.trainer import Job, Trainer, TrainerError
from delta_training.training import Example, corpus_digest, evaluate, load_examples, train
from muster.delta.header import PatchKind

_ROOT = Path(__file__).resolve().parents[2]
_BASE = 0x08020000


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    return Trainer(_ROOT, tmp_path_factory.mktemp("trainer"))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of a made-up machine: few different instructions, which often follow each other in the same order."""
    folder = tmp_path_factory.mktemp("pairs")
    bases, families = ["name,base"], ["name,family,kind,held_out"]
    for number in range(4):
        old = _image(random.Random(number))
        new = bytearray(old)
        for at in range(200, len(new), 600):
            new[at] = (new[at] + 1) & 0xFF
        (folder / f"pair{number}.old").write_bytes(old)
        (folder / f"pair{number}.new").write_bytes(bytes(new))
        bases.append(f"pair{number},{_BASE:#010x}")
        families.append(f"pair{number},family{number % 2},small,{int(number == 3)}")
    (folder / "bases.csv").write_text("\n".join(bases) + "\n", encoding="ascii")
    (folder / "families.csv").write_text("\n".join(families) + "\n", encoding="ascii")
    return folder


def _image(chance: random.Random) -> bytes:
    words = [bytes((low, 0x40 | low & 0x1F)) for low in range(48)]
    at, image = 0, bytearray()
    while len(image) < 6000:
        at = (at + 1 if chance.random() < 0.8 else chance.randrange(48)) % 48
        image += words[at]
    return bytes(image)


def test_the_same_corpus_gives_the_same_tables_byte_for_byte(trainer: Trainer, pairs: Path, tmp_path: Path) -> None:
    examples = load_examples(pairs, PatchKind.RAW)
    first = train(trainer, examples, tmp_path / "first", lambda line: None)
    second = train(trainer, examples, tmp_path / "second", lambda line: None)
    assert first == second
    for source in first.values():
        assert corpus_digest(examples) in source
        assert max(map(len, source.splitlines())) <= 120


def test_trained_tables_make_patches_smaller_that_training_has_not_seen(
    trainer: Trainer, pairs: Path, tmp_path: Path
) -> None:
    examples = load_examples(pairs, PatchKind.RAW)
    train(trainer, examples, tmp_path, lambda line: None)
    unseen = [example for example in examples if example.held_out]
    jobs = [
        Job(profile, PatchKind.RAW, _BASE, old, unseen[0].new) for profile in (1, 2) for old in (unseen[0].old, None)
    ]
    before = trainer.record(tmp_path / "tables.0", jobs)
    after = trainer.record(tmp_path / "tables", jobs)
    assert all(new < old for new, old in zip(after, before, strict=True))


def test_evaluation_tells_trained_from_held_out_families(trainer: Trainer, pairs: Path, tmp_path: Path) -> None:
    examples = load_examples(pairs, PatchKind.RAW)
    train(trainer, examples, tmp_path, lambda line: None)
    assert "(3 patches)" in (answer := evaluate(trainer, tmp_path / "tables", examples))
    assert "held out" in answer
    assert "(1 patches)" in answer


def test_tables_of_another_model_are_refused(trainer: Trainer, pairs: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "tables"
    wrong.write_bytes(bytes(100))
    with pytest.raises(TrainerError):
        trainer.record(wrong, [Job(1, PatchKind.RAW, _BASE, None, pairs / "pair0.new")])


def test_another_image_gives_another_digest(pairs: Path) -> None:
    examples = load_examples(pairs, PatchKind.RAW)
    swapped = [Example(e.name, e.family, e.held_out, e.kind, e.base, e.new, e.old) for e in examples]
    assert corpus_digest(examples) != corpus_digest(swapped)
