# SPDX-License-Identifier: Apache-2.0
"""Both decoders against the golden vectors."""

from __future__ import annotations

import pytest

from muster.delta import Patch, apply
from muster.delta.errors import error_for
from muster.errors import MusterError
from muster.status import OtaStatus
from tests.muster.delta.decoders import outcome
from tests.vectors.patch_cases import base_of, target_holds
from tests.vectors.reading import Case, cases

_GOOD = pytest.mark.parametrize("case", cases("patch/patches.json"), ids=lambda case: case["name"])
_REFUSED = pytest.mark.parametrize("case", cases("patch/refused.json"), ids=lambda case: case["name"])


@_GOOD
def test_golden_patch_makes_its_target(case: Case) -> None:
    base, patch = base_of(case), bytes.fromhex(case["patch"])
    made = apply(base, patch)
    assert target_holds(case, made)
    assert apply(base, patch, piece_len=1) == made
    header = Patch.from_bytes(patch).header
    assert header.to_bytes() == patch[: header.size]


@_GOOD
def test_golden_patch_makes_its_target_in_the_second_decoder(case: Case) -> None:
    made = outcome(base_of(case), bytes.fromhex(case["patch"]))
    assert isinstance(made, bytes)
    assert target_holds(case, made)


@_REFUSED
def test_golden_bad_patch_is_refused(case: Case) -> None:
    base, patch, status = base_of(case), bytes.fromhex(case["patch"]), OtaStatus(case["status"])
    with pytest.raises(MusterError) as error:
        apply(base, patch)
    assert error.value.status is status
    assert type(error.value) is type(error_for(status))


@_REFUSED
def test_golden_bad_patch_is_refused_by_the_second_decoder(case: Case) -> None:
    assert outcome(base_of(case), bytes.fromhex(case["patch"])) is OtaStatus(case["status"])
