# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from muster.errors import ImageRefused
from muster.image.image import Image
from muster.layout import Lifecycle
from muster.signing.keyset import KeySet
from muster.signing.verify import DeviceFacts, check_full, check_pinned, verified_signers
from muster.status import OtaStatus
from tests.vectors import fixed
from tests.vectors.reading import Case, case, cases


@pytest.mark.parametrize("check", cases("image/full_checks.json"), ids=lambda check: check["name"])
def test_golden_full_check(check: Case) -> None:
    raw = check["bytes"] if "bytes" in check else case("image/images.json", check["image"])["image"]
    image = Image.from_bytes(bytes.fromhex(raw))
    facts = dict(check["requirements"])
    lifecycle = Lifecycle(facts.pop("lifecycle"))
    keys = KeySet.from_bytes(bytes.fromhex(check["keyset"])).content
    if check["status"] == 0:
        check_full(image, DeviceFacts(**facts), keys, lifecycle)
    else:
        with pytest.raises(ImageRefused) as refused:
            check_full(image, DeviceFacts(**facts), keys, lifecycle)
        assert refused.value.status is OtaStatus(check["status"])


def test_what_is_not_known_of_the_device_is_not_checked() -> None:
    check_full(
        fixed.signed_image("release-1", "release-2"), DeviceFacts(), fixed.keyset_v1().content, Lifecycle.PRODUCTION
    )


def test_revoked_release_key_counts_no_more() -> None:
    image = fixed.signed_image("release-1", "release-2")
    assert len(verified_signers(image, fixed.keyset_v1().content).release) == 2
    signers = verified_signers(image, fixed.keyset_v2().content)
    assert signers.release == (fixed.key("release-2").public_key.key_id,)
    assert signers.unknown == (fixed.key("release-1").public_key.key_id,)


def test_pinned_check_compares_16_bytes_of_identity() -> None:
    image = fixed.small_image()
    check_pinned(image, image.identity[:16])
    with pytest.raises(ImageRefused) as refused:
        check_pinned(image, bytes(16))
    assert refused.value.status is OtaStatus.ERR_IDENTITY
