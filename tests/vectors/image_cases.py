# SPDX-License-Identifier: Apache-2.0
"""Golden vectors of docs/spec/image.md."""

from __future__ import annotations

import struct
from dataclasses import replace

import cbor2

from muster.image.extension import ExtensionArea
from muster.image.image import Image, seal
from muster.image.manifest import Manifest
from muster.image.reloc import RelocationTable
from muster.image.suffix import Suffix
from muster.layout import EXTENSION_SIZE, Lifecycle, Slot
from muster.signing.cose import AAD_KEYSET, AAD_MANIFEST, CoseSign1, signed_bytes
from muster.signing.signer import sign_detached
from muster.status import OtaStatus
from tests.vectors import fixed
from tests.vectors.reading import Case


def image_files() -> dict[str, tuple[str, list[Case]]]:
    return {
        "image/keys.json": ("Fixed Ed25519 keys: seeds, public keys and key ids.", _keys()),
        "image/cose.json": ("COSE_Sign1 in its one form, and what is signed.", _cose()),
        "image/manifests.json": ("Manifests, good and bad.", _manifests()),
        "image/relocation.json": ("Relocation tables, good and bad.", _relocation()),
        "image/images.json": ("Whole images in both slots, good and bad.", _good_images() + _bad_images()),
        "image/full_checks.json": ("Images against devices and key sets.", _full_checks()),
    }


def _keys() -> list[Case]:
    return [
        {
            "name": name,
            "seed": fixed.key(name).seed.hex(),
            "public_key": fixed.key(name).public_key.raw.hex(),
            "key_id": fixed.key(name).public_key.key_id.hex(),
        }
        for name in fixed.KEY_NAMES
    ]


def _cose() -> list[Case]:
    manifest = fixed.small_image().manifest.to_bytes()
    keyset = fixed.keyset_v1().content.to_bytes()
    made = []
    for name, key, aad, payload in (
        ("manifest", "release-1", AAD_MANIFEST, manifest),
        ("keyset", "root-1", AAD_KEYSET, keyset),
        ("empty_payload", "release-2", AAD_MANIFEST, b""),
    ):
        made.append(_cose_case(name, key, aad, payload, sign_detached(fixed.signer(key), aad, payload), OtaStatus.OK))
    good = sign_detached(fixed.signer("release-1"), AAD_MANIFEST, manifest)
    for name, signature in (
        ("flipped_r", _flip(good.signature, 0)),
        ("flipped_s", _flip(good.signature, 40)),
        # S + L: the same curve equation, but RFC 8032 section 5.1.7 wants S below L.
        ("s_not_reduced", good.signature[:32] + _plus_order(good.signature[32:])),
    ):
        bad = CoseSign1(good.key_id, signature)
        made.append(_cose_case(name, "release-1", AAD_MANIFEST, manifest, bad, OtaStatus.ERR_SIGNATURE))
    made.append(_cose_case("other_aad", "release-1", AAD_KEYSET, manifest, good, OtaStatus.ERR_SIGNATURE))
    other = CoseSign1(fixed.key("release-2").public_key.key_id, good.signature)
    made.append(_cose_case("other_key", "release-2", AAD_MANIFEST, manifest, other, OtaStatus.ERR_SIGNATURE))
    return made


def _cose_case(name: str, key: str, aad: bytes, payload: bytes, sign1: CoseSign1, status: OtaStatus) -> Case:
    return {
        "name": name,
        "key": key,
        "external_aad": aad.hex(),
        "payload": payload.hex(),
        "sig_structure": signed_bytes(sign1.key_id, aad, payload).hex(),
        "sign1": sign1.to_bytes().hex(),
        "status": int(status),
    }


def _manifests() -> list[Case]:
    small = fixed.small_image().manifest
    lowest = replace(
        small, product_id=1, product_version=1, platform_id=0, hardware_lowest=0, hardware_highest=0, security_counter=0
    )
    highest = replace(
        small,
        product_id=65_534,
        product_version=65_534,
        platform_id=65_535,
        hardware_lowest=65_535,
        hardware_highest=65_535,
        security_counter=2**32 - 1,
        min_bootloader=65_535,
    )
    good = [("small_image", small), ("lowest", replace(lowest, min_bootloader=0)), ("highest", highest)]
    return [_manifest_case(name, manifest) for name, manifest in good] + _bad_manifests(small)


def _manifest_case(name: str, manifest: Manifest) -> Case:
    return {
        "name": name,
        "manifest": manifest.to_bytes().hex(),
        "status": 0,
        "identity": manifest.identity.hex(),
        "fields": {
            "product_id": manifest.product_id,
            "product_version": manifest.product_version,
            "platform_id": manifest.platform_id,
            "hardware_lowest": manifest.hardware_lowest,
            "hardware_highest": manifest.hardware_highest,
            "security_counter": manifest.security_counter,
            "reloc_start": manifest.reloc_start,
            "ext_start": manifest.ext_start,
            "body_hash": manifest.body_hash.hex(),
            "min_bootloader": manifest.min_bootloader,
        },
    }


def _bad_manifests(small: Manifest) -> list[Case]:
    raw = small.to_bytes()
    value = cbor2.loads(raw)

    def changed(**fields: object) -> bytes:
        numbered = {int(name[1:]): field for name, field in fields.items()}
        return cbor2.dumps({**value, **numbered}, canonical=True)

    bad = {
        "empty": b"",
        "truncated": raw[:-1],
        "trailing_byte": raw + b"\0",
        "format_2": changed(k1=2),
        "product_id_0": changed(k2=0),
        "product_id_65535": changed(k2=65_535),
        "product_version_0": changed(k3=0),
        "product_version_65535": changed(k3=65_535),
        "platform_65536": changed(k4=65_536),
        "hardware_of_one": changed(k5=[1]),
        "hardware_of_three": changed(k5=[1, 2, 3]),
        "hardware_falling": changed(k5=[3, 1]),
        "hardware_65536": changed(k5=[1, 65_536]),
        "counter_too_large": changed(k6=2**32),
        "counter_negative": changed(k6=-1),
        "counter_text": changed(k6="2"),
        "counter_true": changed(k6=True),
        "reloc_start_too_large": changed(k7=2**32 + small.reloc_start),
        "hash_of_31": changed(k9=bytes(31)),
        "hash_of_33": changed(k9=bytes(33)),
        "hash_text": changed(k9="x" * 32),
        "bootloader_65536": changed(k10=65_536),
        "key_missing": cbor2.dumps({number: value[number] for number in range(1, 10)}, canonical=True),
        "key_more": changed(k11=0),
        "key_other": cbor2.dumps({number + (number == 10): field for number, field in value.items()}, canonical=True),
        "keys_not_in_order": cbor2.dumps(dict(reversed(value.items()))),
        "key_twice": raw[:3] + b"\x01\x01" + raw[5:],
        "map_of_indefinite_length": b"\xbf" + raw[1:] + b"\xff",
        "map_length_not_shortest": b"\xb8\x0a" + raw[1:],
        "format_not_shortest": raw[:2] + b"\x18\x01" + raw[3:],
        "product_id_not_shortest": raw[:4] + b"\x1a\x00\x00" + raw[5:],
        "hash_length_not_shortest": raw.replace(b"\x09\x58\x20", b"\x09\x59\x00\x20"),
        "tagged": b"\xd9\xd9\xf7" + raw,
        "array": cbor2.dumps(list(value.values())),
        "longer_than_96": raw + bytes(97 - len(raw)),
    }
    return [
        {"name": name, "manifest": manifest.hex(), "status": int(OtaStatus.ERR_MANIFEST)}
        for name, manifest in bad.items()
    ]


def _relocation() -> list[Case]:
    good: dict[str, tuple[int, list[int]]] = {
        "no_words": (0x19C, []),
        "prefix_words": (0x19C, [0x184, 0x188]),
        "last_word": (0x400, [0, 0x3FC]),
        "gap_127_and_128": (0x1000, [4 * 126, 4 * 254]),
        "gap_1024": (0x1000, [0xFFC]),
        "every_word": (0x400, list(range(0, 0x400, 4))),
        "two_blocks": (0x2000, [0xFFC, 0x1000, 0x1FFC]),
        "part_of_a_block": (0x1004, [0, 0x1000]),
        "empty_block_between": (0x3000, [0, 0x2FFC]),
        "first_block_empty": (0x2000, [0x1000]),
        "last_block_empty": (0x2000, [0xFFC]),
    }
    made: list[Case] = []
    for name, (reloc_start, words) in good.items():
        table = RelocationTable.from_words(words, reloc_start).to_bytes()
        made.append({"name": name, "reloc_start": reloc_start, "table": table.hex(), "status": 0, "words": words})
    for name, (reloc_start, table) in _bad_tables().items():
        made.append(
            {"name": name, "reloc_start": reloc_start, "table": table.hex(), "status": int(OtaStatus.ERR_RELOC)}
        )
    return made


def _bad_tables() -> dict[str, tuple[int, bytes]]:
    def table(begins: list[int], lists: bytes, count: int | None = None) -> bytes:
        head = struct.pack(f"<H{len(begins)}H", len(begins) if count is None else count, *begins)
        whole = head + lists
        return whole + bytes(-len(whole) % 4)

    one, two = 4, 6  # where the first list begins with one block and with two
    return {
        "empty": (0x400, b""),
        "shorter_than_its_head": (0x2000, b"\x02\x00\x06\x00"),
        "block_count_0": (0x400, table([one], b"\x01", count=0)),
        "block_count_2_for_one": (0x400, table([two, two], b"\x01")),
        "block_count_1_for_two": (0x1004, table([one], b"\x01")),
        "first_list_too_early": (0x400, table([2], b"\x01")),
        "first_list_too_late": (0x400, table([one + 1], b"\x01\x01")),
        "lists_fall": (0x2000, table([two, two - 1], b"\x01\x01")),
        "list_beyond_table": (0x2000, table([two, 200], b"\x01\x01")),
        "gap_0_inside": (0x2000, table([two, two + 2], b"\x01\x00\x01")),
        "gap_0_in_last_list": (0x400, table([one], b"\x01\x00\x01")),
        "gap_1_as_two_bytes": (0x400, table([one], b"\x81\x00")),
        "gap_127_as_two_bytes": (0x400, table([one], b"\xff\x00")),
        "gap_0_as_two_bytes": (0x400, table([one], b"\x80\x00\x01")),
        "gap_of_three_bytes": (0x1000, table([one], b"\x81\x80\x01")),
        "gap_1025": (0x1000, table([one], b"\x81\x08")),
        "gap_cut_by_next_list": (0x2000, table([two, two + 1], b"\x80\x01")),
        "gap_cut_by_end": (0x400, struct.pack("<HH", 1, one) + b"\x01\x01\x01\x80"),
        "word_behind_its_block": (0x2000, table([two, two + 3], b"\xff\x07\x02\x01")),
        "word_at_reloc_start": (0x400, table([one], b"\x81\x02")),
        "word_behind_reloc_start": (0x400, table([one], b"\x01\x81\x02")),
        "word_at_reloc_start_of_second_block": (0x1004, table([two, two], b"\x02")),
        "padding_too_long": (0x400, table([one], b"\x01\x01\x01\x01") + bytes(4)),
        "padding_missing": (0x400, struct.pack("<HH", 1, one) + b"\x01"),
        "padding_not_zero": (0x400, struct.pack("<HH", 1, one) + b"\x01\x00\x00\x01"),
        "padding_only_word": (0x400, struct.pack("<HH", 1, one) + bytes(4)),
    }


def _good_images() -> list[Case]:
    images = {
        "unsigned": fixed.small_image(),
        "one_signature": fixed.signed_image("release-1"),
        "four_signatures": fixed.signed_image("release-1", "release-2", "release-3", "development-1"),
        "two_blocks": fixed.large_image(),
    }
    made = []
    for name, image in images.items():
        for slot in Slot:
            case: Case = {
                "name": name if slot is Slot.A else f"{name}_in_slot_b",
                "slot": slot.name,
                "image": image.installed_in(slot).hex(),
                "status": 0,
                "identity": image.identity.hex(),
                "length": len(image.raw),
                "reloc_start": image.manifest.reloc_start,
                "ext_start": image.manifest.ext_start,
                "words": list(image.reloc.words),
                "key_ids": [signature.key_id.hex() for signature in image.signatures],
            }
            if slot is Slot.B:
                case["canonical"] = name
            made.append(case)
    return made


def _bad_images() -> list[Case]:
    image = fixed.signed_image("release-1", "release-2")
    raw = image.raw
    ext = image.manifest.ext_start
    reloc = image.manifest.reloc_start
    manifest_end = ext + 4 + len(image.manifest.to_bytes())
    length = OtaStatus.ERR_IMAGE_LENGTH
    form = OtaStatus.ERR_IMAGE_FORMAT
    mismatch = OtaStatus.ERR_IMAGE_MISMATCH
    end_word = int.from_bytes(raw[0x188:0x18C], "little")

    def word(at: int, value: int) -> bytes:
        return _with(raw, at, value.to_bytes(4, "little"))

    bad: dict[str, tuple[bytes, OtaStatus]] = {
        "start_of_slot_b": (word(0x184, 0x0808_0000), length),
        "end_not_aligned": (word(0x188, end_word + 1), length),
        "end_below_start": (word(0x188, 0x0801_0000), length),
        "end_beyond_slot": (word(0x188, 0x0808_0000), length),
        "shorter_than_an_image_can_be": (word(0x188, 0x0802_0000 + 0x19C + 4 + 556 - 8), length),
        "end_4_too_low": (word(0x188, end_word - 4), form),
        "suffix_size": (_with(raw, -6, b"\x28\x00"), form),
        "suffix_reserved": (_with(raw, -40, b"\x01"), form),
        "manifest_entry_of_other_type": (_with(raw, ext, b"\x02\x81"), form),
        "manifest_entry_too_long": (_with(raw, ext + 2, b"\xff\xff"), form),
        "manifest_entry_of_3_bytes": (_with(raw, ext + 2, b"\x03\x00"), form),
        "signature_of_other_form": (_with(raw, manifest_end + 4, b"\x85"), form),
        "signature_with_other_alg": (_with(raw, manifest_end + 4 + 4, b"\x26"), form),
        "signature_entry_as_padding": (_with(raw, manifest_end, b"\xff\x81"), form),
        "signatures_fall": (_swapped_signatures(raw, manifest_end), form),
        "signature_twice": (_doubled_signature(raw, manifest_end), form),
        "padding_not_zero": (_with(raw, ext + EXTENSION_SIZE - 15, b"\x01"), form),
        "product_data_of_other_type": (_with(raw, ext + EXTENSION_SIZE - 14, b"\x02"), form),
        "product_data_without_ffff": (_with(raw, ext + EXTENSION_SIZE - 10, b"\xfe"), form),
        "end_of_other_type": (_with(raw, ext + EXTENSION_SIZE - 4, b"\x01"), form),
        "end_of_0_bytes": (_with(raw, ext + EXTENSION_SIZE - 2, b"\x00"), form),
        "end_taken_by_product_data": (_with(raw, ext + EXTENSION_SIZE - 12, b"\x0e"), form),
        "padding_over_the_end": (_without_end(raw, manifest_end + 2 * 87, ext + EXTENSION_SIZE), form),
        "manifest_format_2": (_with(raw, ext + 4 + 2, b"\x02"), OtaStatus.ERR_MANIFEST),
        "manifest_other_ext_start": (_remade(image, ext_start=ext + 4), OtaStatus.ERR_MANIFEST),
        "manifest_reloc_start_not_aligned": (_remade(image, reloc_start=reloc - 2), OtaStatus.ERR_MANIFEST),
        "manifest_reloc_start_in_prefix": (_remade(image, reloc_start=0x198), OtaStatus.ERR_MANIFEST),
        "manifest_reloc_start_at_ext_start": (_remade(image, reloc_start=ext), OtaStatus.ERR_MANIFEST),
        "manifest_empty": (_with_manifest(image, b""), OtaStatus.ERR_MANIFEST),
        "manifest_of_97_bytes": (
            _with_manifest(image, image.manifest.to_bytes().ljust(97, b"\0")),
            OtaStatus.ERR_MANIFEST,
        ),
        "prefix_platform": (_with(raw, 0x190, b"\x08"), mismatch),
        "prefix_bootloader": (_with(raw, 0x196, b"\x02"), mismatch),
        "prefix_flags": (_with(raw, 0x18D, b"\x01"), mismatch),
        "prefix_reserved": (_with(raw, 0x18C, b"\x01"), mismatch),
        "prefix_module_version": (_with(raw, 0x18E, b"\x02"), mismatch),
        "prefix_function": (_with(raw, 0x192, b"\x05"), mismatch),
        "prefix_index": (_with(raw, 0x193, b"\x01"), mismatch),
        "prefix_dependency": (_with(raw, 0x194, b"\x04"), mismatch),
        "prefix_second_dependency": (_with(raw, 0x19A, b"\x01"), mismatch),
        "suffix_product_id": (_with(raw, -44, b"\xd3"), mismatch),
        "suffix_product_version": (_with(raw, -42, b"\x08"), mismatch),
        "product_data_id": (_with(raw, ext + EXTENSION_SIZE - 8, b"\xd3"), mismatch),
        "product_data_version": (_with(raw, ext + EXTENSION_SIZE - 6, b"\x08"), mismatch),
        "reloc_block_count": (_with(raw, reloc, b"\x02"), OtaStatus.ERR_RELOC),
        "reloc_start_4_too_low": (_remade(image, reloc_start=reloc - 4), OtaStatus.ERR_RELOC),
        "reloc_other_words": (_with(raw, reloc + 4, b"\x01"), OtaStatus.ERR_HASH),
        "body_flipped": (_with(raw, 0x300, bytes([raw[0x300] ^ 1])), OtaStatus.ERR_HASH),
        "vector_flipped": (_with(raw, 0, b"\x01"), OtaStatus.ERR_HASH),
        "signature_flipped": (_with(raw, manifest_end + 50, bytes([raw[manifest_end + 50] ^ 1])), OtaStatus.ERR_HASH),
        "sha256_flipped": (_with(raw, -38, bytes([raw[-38] ^ 1])), OtaStatus.ERR_HASH),
        "crc_flipped": (_with(raw, -1, bytes([raw[-1] ^ 1])), OtaStatus.ERR_HASH),
        "other_body_hash": (_remade(image, body_hash=bytes(32)), OtaStatus.ERR_HASH),
    }
    installed = image.installed_in(Slot.B)
    in_slot_b = {
        "canonical_in_slot_b": (raw, length),
        "body_flipped_in_slot_b": (_with(installed, 0x300, bytes([installed[0x300] ^ 1])), OtaStatus.ERR_HASH),
        "word_not_relocated_in_slot_b": (_with(installed, 0x19C, raw[0x19C:0x1A0]), OtaStatus.ERR_HASH),
    }
    return [_bad_image(name, Slot.A, *content) for name, content in bad.items()] + [
        _bad_image(name, Slot.B, *content) for name, content in in_slot_b.items()
    ]


def _bad_image(name: str, slot: Slot, raw: bytes, status: OtaStatus) -> Case:
    return {"name": name, "slot": slot.name, "image": raw.hex(), "status": int(status)}


def _full_checks() -> list[Case]:
    keyset = fixed.keyset_v1().to_bytes().hex()
    fits = {
        "product_id": 1234,
        "platform_id": 6,
        "hardware_revision": 2,
        "bootloader_version": 1,
        "security_counter": 2,
        "lifecycle": int(Lifecycle.PRODUCTION),
    }
    development = {**fits, "lifecycle": int(Lifecycle.DEVELOPMENT)}
    small = fixed.small_image()

    def sealed(*signatures: CoseSign1) -> str:
        ordered = sorted(signatures, key=lambda signature: signature.key_id)
        return seal(small.body, small.manifest, ordered).raw.hex()

    def sign(name: str) -> CoseSign1:
        return sign_detached(fixed.signer(name), AAD_MANIFEST, small.manifest.to_bytes())

    def bad(name: str) -> CoseSign1:
        return CoseSign1(sign(name).key_id, _flip(sign(name).signature, 3))

    four = {"image": "four_signatures"}
    rows: list[tuple[str, Case, Case, OtaStatus]] = [
        ("production", four, fits, OtaStatus.OK),
        ("production_by_two", {"bytes": sealed(sign("release-1"), sign("release-3"))}, fits, OtaStatus.OK),
        ("lowest_hardware", four, {**fits, "hardware_revision": 1}, OtaStatus.OK),
        ("highest_hardware", four, {**fits, "hardware_revision": 3}, OtaStatus.OK),
        ("newer_bootloader", four, {**fits, "bootloader_version": 2}, OtaStatus.OK),
        ("lower_counter_on_device", four, {**fits, "security_counter": 0}, OtaStatus.OK),
        ("other_product", four, {**fits, "product_id": 1235}, OtaStatus.ERR_PRODUCT),
        ("other_platform", four, {**fits, "platform_id": 8}, OtaStatus.ERR_PLATFORM),
        ("hardware_too_low", four, {**fits, "hardware_revision": 0}, OtaStatus.ERR_HARDWARE),
        ("hardware_too_high", four, {**fits, "hardware_revision": 4}, OtaStatus.ERR_HARDWARE),
        ("bootloader_too_old", four, {**fits, "bootloader_version": 0}, OtaStatus.ERR_BOOTLOADER_TOO_OLD),
        ("counter_too_low", four, {**fits, "security_counter": 3}, OtaStatus.ERR_SECURITY_COUNTER),
        ("unsigned", {"image": "unsigned"}, fits, OtaStatus.ERR_SIGNERS),
        ("unsigned_for_development", {"image": "unsigned"}, development, OtaStatus.ERR_SIGNERS),
        ("one_of_two", {"image": "one_signature"}, fits, OtaStatus.ERR_SIGNERS),
        ("one_of_two_for_development", {"image": "one_signature"}, development, OtaStatus.ERR_SIGNERS),
        ("development_key", {"bytes": sealed(sign("development-1"))}, development, OtaStatus.OK),
        ("development_key_for_production", {"bytes": sealed(sign("development-1"))}, fits, OtaStatus.ERR_SIGNERS),
        (
            "release_and_development_for_production",
            {"bytes": sealed(sign("release-1"), sign("development-1"))},
            fits,
            OtaStatus.ERR_SIGNERS,
        ),
        (
            "release_threshold_for_development",
            {"bytes": sealed(sign("release-1"), sign("release-2"))},
            development,
            OtaStatus.OK,
        ),
        ("bad_known_signature", {"bytes": sealed(bad("release-1"), sign("release-2"))}, fits, OtaStatus.ERR_SIGNATURE),
        (
            "bad_known_signature_beside_enough",
            {"bytes": sealed(sign("release-1"), sign("release-2"), bad("release-3"))},
            fits,
            OtaStatus.ERR_SIGNATURE,
        ),
        (
            "bad_development_signature_beside_enough",
            {"bytes": sealed(sign("release-1"), sign("release-2"), bad("development-1"))},
            fits,
            OtaStatus.ERR_SIGNATURE,
        ),
        (
            "bad_stranger_beside_enough",
            {"bytes": sealed(sign("release-1"), sign("release-2"), bad("stranger-1"))},
            fits,
            OtaStatus.OK,
        ),
        (
            "bad_online_beside_enough",
            {"bytes": sealed(sign("release-1"), sign("release-2"), bad("online-1"))},
            fits,
            OtaStatus.OK,
        ),
        (
            "strangers_count_nothing",
            {"bytes": sealed(sign("release-1"), sign("stranger-1"))},
            fits,
            OtaStatus.ERR_SIGNERS,
        ),
        ("roots_count_nothing", {"bytes": sealed(sign("root-1"), sign("root-2"))}, fits, OtaStatus.ERR_SIGNERS),
    ]
    return [
        {"name": name, **image, "requirements": requirements, "keyset": keyset, "status": int(status)}
        for name, image, requirements, status in rows
    ]


def _with(raw: bytes, at: int, content: bytes) -> bytes:
    out = bytearray(raw)
    begin = at % len(raw)
    out[begin : begin + len(content)] = content
    return bytes(out)


def _flip(raw: bytes, at: int) -> bytes:
    return _with(raw, at, bytes([raw[at] ^ 1]))


def _plus_order(scalar: bytes) -> bytes:
    order = 2**252 + 27742317777372353535851937790883648493
    return (int.from_bytes(scalar, "little") + order).to_bytes(32, "little")


def _swapped_signatures(raw: bytes, first: int) -> bytes:
    return raw[:first] + raw[first + 87 : first + 174] + raw[first : first + 87] + raw[first + 174 :]


def _doubled_signature(raw: bytes, first: int) -> bytes:
    return raw[: first + 87] + raw[first : first + 87] + raw[first + 174 :]


def _without_end(raw: bytes, padding_at: int, area_end: int) -> bytes:
    """Four more bytes of padding, and PRODUCT_DATA up to the end of the area."""
    padding = raw[padding_at : padding_at + 2] + (area_end - 10 - padding_at).to_bytes(2, "little")
    shifted = padding + bytes(area_end - 10 - padding_at - 4) + raw[area_end - 14 : area_end - 4]
    return raw[:padding_at] + shifted + raw[area_end:]


def _remade(image: Image, **fields: object) -> bytes:
    """The image with another manifest, resealed: whatever the change breaks, the hashes and the CRC hold."""
    value = cbor2.loads(image.manifest.to_bytes())
    numbers = {"reloc_start": 7, "ext_start": 8, "body_hash": 9}
    value.update({numbers[name]: field for name, field in fields.items()})
    return _with_manifest(image, cbor2.dumps(value, canonical=True))


def _with_manifest(image: Image, manifest: bytes) -> bytes:
    area = ExtensionArea(manifest, (), image.manifest.product_id, image.manifest.product_version)
    before = image.body + area.to_bytes()
    return before + Suffix.closing(before, image.manifest.product_id, image.manifest.product_version).to_bytes()
