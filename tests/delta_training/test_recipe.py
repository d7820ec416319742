# SPDX-License-Identifier: Apache-2.0
"""The committed recipe of the training corpus."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import delta_training
from delta_training.recipe import Corpus, Pair, RecipeError, fingerprint, load_corpus

RECIPE = Path(delta_training.__file__).with_name("corpus.toml")


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_corpus(RECIPE)


def test_every_archive_is_pinned(corpus: Corpus) -> None:
    assert all(re.fullmatch("[0-9a-f]{64}", archive.sha256) for archive in corpus.archives.values())


def test_nothing_of_the_benchmark_is_trained_on(corpus: Corpus) -> None:
    assert not [archive for archive in corpus.archives.values() if "particle" in archive.package.lower()]


def test_no_library_of_a_held_out_family_is_trained_on(corpus: Corpus) -> None:
    used: dict[bool, set[str]] = {True: set(), False: set()}
    for pair in corpus.pairs:
        if isinstance(pair, Pair):
            names = {name for image in (pair.old, pair.new) for name, _ in image.libraries}
            used[pair.family in corpus.held_out] |= names
    assert used[True]
    assert not used[True] & used[False]


def test_about_a_quarter_of_the_families_is_held_out(corpus: Corpus) -> None:
    families = {pair.family for pair in corpus.pairs}
    assert 0.2 <= len(corpus.held_out) / len(families) <= 0.35


def test_kinds_are_mixed_as_releases_are(corpus: Corpus) -> None:
    count = Counter(pair.kind for pair in corpus.pairs)
    assert count["small"] / len(corpus.pairs) >= 0.3
    assert count["minor"] / len(corpus.pairs) >= 0.3
    assert count["major"] / len(corpus.pairs) >= 0.1


def test_a_pair_of_an_unknown_library_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "corpus.toml"
    path.write_text(
        "[archive]\n[library]\n[family.f]\nlibraries = ['none@1']\nbase = 0\n"
        "[[pair]]\nname = 'p'\nfamily = 'f'\nkind = 'small'\n",
        encoding="utf-8",
    )
    with pytest.raises(RecipeError, match="there is no none 1"):
        load_corpus(path)


def test_equal_recipes_have_equal_fingerprints(corpus: Corpus) -> None:
    again = load_corpus(RECIPE)
    assert [fingerprint(pair) for pair in corpus.pairs] == [fingerprint(pair) for pair in again.pairs]
