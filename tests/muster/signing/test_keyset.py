# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muster.errors import KeySetFormatError, KeySetRefused, MusterError, ValueOutOfRange
from muster.signing.keys import PrivateKey, PublicKey
from muster.signing.keyset import (
    KeySet,
    KeySetContent,
    RootKeys,
    accept_chain,
    check_successor,
    sorted_keys,
)
from muster.signing.signer import KeySigner
from muster.status import OtaStatus
from tests.vectors import fixed
from tests.vectors.reading import Case, cases


def _keys(texts: list[str]) -> tuple[PublicKey, ...]:
    return tuple(PublicKey(bytes.fromhex(text)) for text in texts)


@st.composite
def contents(draw: st.DrawFn) -> KeySetContent:
    def some(fewest: int, most: int) -> tuple[PublicKey, ...]:
        raw = draw(st.sets(st.binary(min_size=32, max_size=32), min_size=fewest, max_size=most))
        return sorted_keys(PublicKey(key) for key in raw)

    release, roots = some(1, 8), some(1, 3)
    return KeySetContent(
        version=draw(st.integers(1, 2**32 - 1)),
        release_threshold=draw(st.integers(1, len(release))),
        release_keys=release,
        online_keys=some(0, 2),
        development_keys=some(0, 4),
        roots=RootKeys(draw(st.integers(1, len(roots))), roots),
    )


@pytest.mark.parametrize("case", cases("boot/keysets.json"), ids=lambda case: case["name"])
def test_golden_keyset(case: Case) -> None:
    raw = bytes.fromhex(case["keyset"])
    if case["status"] != 0:
        with pytest.raises(KeySetFormatError) as refused:
            KeySet.from_bytes(raw)
        assert refused.value.status is OtaStatus(case["status"])
        return
    keyset = KeySet.from_bytes(raw)
    fields = case["fields"]
    assert keyset.content == KeySetContent(
        version=fields["version"],
        release_threshold=fields["release_threshold"],
        release_keys=_keys(fields["release_keys"]),
        online_keys=_keys(fields["online_keys"]),
        development_keys=_keys(fields["development_keys"]),
        roots=RootKeys(fields["root_threshold"], _keys(fields["root_keys"])),
    )
    assert [signature.key_id.hex() for signature in keyset.signatures] == fields["signers"]
    assert keyset.to_bytes() == raw


@pytest.mark.parametrize("case", cases("boot/keyset_chains.json"), ids=lambda case: case["name"])
def test_golden_succession(case: Case) -> None:
    keyset = KeySet.from_bytes(bytes.fromhex(case["keyset"]))
    roots = RootKeys(case["roots"]["threshold"], _keys(case["roots"]["keys"]))
    if case["status"] == 0:
        check_successor(keyset, case["current_version"], roots)
    else:
        with pytest.raises(KeySetRefused) as refused:
            check_successor(keyset, case["current_version"], roots)
        assert refused.value.status is OtaStatus(case["status"])


@given(contents(), st.integers(1, 3))
@settings(max_examples=50)
def test_every_keyset_survives_its_encoding(content: KeySetContent, signer_count: int) -> None:
    keyset = KeySet.signed(content, [KeySigner(PrivateKey(bytes([number]) * 32)) for number in range(signer_count)])
    raw = keyset.to_bytes()
    assert len(raw) <= 853
    assert KeySet.from_bytes(raw) == keyset
    assert KeySetContent.from_bytes(content.to_bytes()) == content


@given(st.binary(max_size=300))
def test_random_bytes_raise_only_our_errors(raw: bytes) -> None:
    with pytest.raises(MusterError):
        KeySet.from_bytes(raw)


def test_flipped_byte_anywhere_is_refused() -> None:
    raw = fixed.keyset_v1().to_bytes()
    roots = RootKeys(2, fixed.public("root-1", "root-2", "root-3"))
    accept_chain(roots, [fixed.keyset_v1()])
    for at in range(len(raw)):
        flipped = bytearray(raw)
        flipped[at] ^= 1 << at % 8
        with pytest.raises(MusterError):
            check_successor(KeySet.from_bytes(bytes(flipped)), 0, roots)


def test_chain_is_followed_from_root_to_root() -> None:
    roots = fixed.keyset_v1().content.roots
    v1, v2 = fixed.keyset_v1(), fixed.keyset_v2()
    content = replace(v2.content, version=3)
    v3 = KeySet.signed(content, [fixed.signer("root-4"), fixed.signer("root-5")])
    assert accept_chain(roots, [v1, v2, v3]) == v3
    for chain, status in (
        ([v1, v3], OtaStatus.ERR_SIGNERS),
        ([v2, v1], OtaStatus.ERR_KEYSET_OLD),
        ([v1, v2, v2], OtaStatus.ERR_KEYSET_OLD),
        ([], OtaStatus.ERR_KEYSET),
    ):
        with pytest.raises(KeySetRefused) as refused:
            accept_chain(roots, chain)
        assert refused.value.status is status


def test_signer_counts_once() -> None:
    keyset = KeySet.signed(fixed.keyset_v1().content, [fixed.signer("root-1"), fixed.signer("root-1")])
    assert len(keyset.signatures) == 1


def test_keyset_without_signatures_cannot_be_made() -> None:
    with pytest.raises(ValueOutOfRange):
        KeySet.signed(fixed.keyset_v1().content, [])
