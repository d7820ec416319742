# SPDX-License-Identifier: Apache-2.0
"""Both decoders against the golden vectors; the vectors against what the specification's writer makes."""

from __future__ import annotations

import hashlib

import pytest

from muster.delta import Patch, apply
from muster.delta.errors import error_for
from muster.errors import MusterError
from muster.status import OtaStatus
from tests.muster.delta.reference_decoder import Refused, decode
from tests.vectors.patch_cases import long_base
from tests.vectors.reading import Case, cases


def _base(case: Case) -> bytes:
    return long_base() if case["name"] == "raw_long" else bytes.fromhex(case["base"])


@pytest.mark.parametrize("case", cases("patch/patches.json"), ids=lambda case: case["name"])
def test_golden_patch_makes_its_target(case: Case) -> None:
    base, patch = _base(case), bytes.fromhex(case["patch"])
    made = apply(base, patch)
    assert decode(base, patch) == made
    assert apply(base, patch, piece_len=1) == made
    if "target" in case:
        assert made == bytes.fromhex(case["target"])
    else:
        assert (len(made), hashlib.sha256(made).hexdigest()) == (case["target_length"], case["target_sha256"])
    assert Patch.from_bytes(patch).header.to_bytes() == patch[:64]


@pytest.mark.parametrize("case", cases("patch/refused.json"), ids=lambda case: case["name"])
def test_golden_bad_patch_is_refused(case: Case) -> None:
    base, patch, status = _base(case), bytes.fromhex(case["patch"]), OtaStatus(case["status"])
    with pytest.raises(MusterError) as error:
        apply(base, patch)
    assert error.value.status is status
    assert type(error.value) is type(error_for(status))
    with pytest.raises(Refused) as refused:
        decode(base, patch)
    assert refused.value.status is status
