# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.protocol import MessageFormatError, codec

VALUES = st.recursive(
    st.integers(-0x8000_0000, 0xFFFF_FFFF)
    | st.binary(max_size=300)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.booleans()
    | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers(0, 0xFFFF_FFFF), inner, max_size=4),
    max_leaves=6,
)


def depth(value: object) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max((depth(item) for item in value), default=0) if isinstance(value, list) else 0


@given(value=VALUES)
def test_what_is_encoded_is_read_back(value: object) -> None:
    if depth(value) <= codec.DEPTH_MAX:
        assert codec.loads(codec.dumps(value)) == value
    else:
        with pytest.raises(MessageFormatError):
            codec.loads(codec.dumps(value))


@given(raw=st.binary(max_size=40))
def test_garbage_is_refused_or_is_the_one_encoding(raw: bytes) -> None:
    try:
        value = codec.loads(raw)
    except MessageFormatError:
        return
    assert codec.dumps(value) == raw


@given(value=VALUES, cut=st.integers(1, 400))
def test_cut_short_is_refused(value: object, cut: int) -> None:
    raw = codec.dumps(value)
    with pytest.raises(MessageFormatError):
        codec.loads(raw[: max(0, len(raw) - cut)])


@pytest.mark.parametrize(
    "value", [1 << 32, -(1 << 31) - 1, 1.5, {-1: 0}, {"a": 0}, {True: 0}, cbor2.CBORTag(0, "x"), cbor2.undefined]
)
def test_value_that_the_protocol_does_not_use_is_refused(value: object) -> None:
    with pytest.raises(MessageFormatError):
        codec.loads(cbor2.dumps(value, canonical=True))


def test_cyclic_and_huge_claims_are_refused_at_once() -> None:
    for raw in ("d81c81d81d00", "9affffffff", "baffffffff", "5affffffff", "81" * 900 + "00"):
        with pytest.raises(MessageFormatError):
            codec.loads(bytes.fromhex(raw))
