# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster import cbor
from muster.errors import FormatError

_LEAVES = st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=40) | st.none()
_INNER = _LEAVES | st.lists(_LEAVES, max_size=4) | st.dictionaries(st.integers(0, 300), _LEAVES, max_size=4)
_VALUES = _INNER | st.lists(_INNER, max_size=4) | st.dictionaries(st.integers(0, 300), _INNER, max_size=4)


@given(_VALUES)
def test_every_value_survives_its_encoding(value: object) -> None:
    assert cbor.loads(cbor.dumps(value)) == value


@given(st.binary(max_size=60))
def test_bytes_parse_to_a_value_that_encodes_to_them_or_are_refused(raw: bytes) -> None:
    try:
        value = cbor.loads(raw)
    except FormatError:
        return
    assert cbor.dumps(value) == raw


@pytest.mark.parametrize("value", [1.5, "text", True, {"a": 1}, [cbor2.CBORTag(1, 2)], (1, 2)])
def test_other_types_are_not_encoded(value: object) -> None:
    with pytest.raises(TypeError):
        cbor.dumps(value)


def test_value_nested_deeper_than_eight_is_not_encoded() -> None:
    value: object = 1
    for _ in range(8):
        value = [value]
    assert cbor.loads(cbor.dumps(value)) == value
    with pytest.raises(TypeError):
        cbor.dumps([value])


@pytest.mark.parametrize(
    "raw",
    [
        b"\xf5",  # true
        b"\xf9\x3c\x00",  # 1.0
        b"\x61a",
        b"\xc1\x00",
        b"\x9f\x01\xff",
        b"\x18\x01",
        b"\xa2\x02\x00\x01\x00",
        b"\x01\x01",
        b"\x81" * 9 + b"\x01",  # nested deeper than eight
        b"\x81" * 5000 + b"\x01",
        b"\xd8\x1c\x81\xd8\x1d\x00",  # a list that holds itself
        b"\xc2\x41\x01",  # a bignum that would fit an integer
    ],
)
def test_other_encodings_are_refused(raw: bytes) -> None:
    with pytest.raises(FormatError):
        cbor.loads(raw)
