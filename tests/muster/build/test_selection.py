# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from muster.build.driver import source_root
from muster.build.selection import Selection, example_products
from muster.errors import ConfigError, FileFault

ROOT = source_root()
KEYS = Path("/somewhere/keys")
LINKER_MAP = "Linker script and memory map\n\n.text           0x0000000008020000      0x100\n"


def selected(start: Path = ROOT, **arguments: str) -> Selection:
    return Selection.from_arguments(ROOT, start, arguments, KEYS)


def test_without_arguments_all_examples_are_built_for_all_platforms() -> None:
    selection = selected()
    assert [product.folder for product in selection.products] == example_products(ROOT)
    assert selection.platform_names == ("photon", "p1", "electron")
    assert selection.keys_folder == KEYS


def test_folders_count_from_where_the_user_is() -> None:
    products = ROOT / "firmware" / "products"
    selection = selected(start=products, PRODUCT="blink", KEYS="../keys")
    assert [product.folder for product in selection.products] == [products / "blink"]
    assert selection.keys_folder == ROOT / "firmware" / "keys"


def test_version_of_product_toml_has_the_plain_folder() -> None:
    blink = selected().products[0].version
    names = [
        selected(PRODUCT="firmware/products/blink", VERSION=str(version)).products[0].build_name
        for version in (blink, blink + 1)
    ]
    assert names == ["blink", f"blink-{blink + 1}"]


def test_outputs_are_named_by_product_and_platform() -> None:
    selection = selected(PRODUCT="firmware/products/blink", PLATFORM="electron,photon")
    folders = [folder for _, _, folder in selection.folders(Path("/tree"))]
    assert folders == [Path("/tree/build/blink/electron"), Path("/tree/build/blink/photon")]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"PLATFORM": "argon"}, "there is no platform argon"),
        ({"PLATFORM": ""}, "there is no platform "),
        ({"VERSION": "two"}, "a version is a whole number, not two"),
        ({"VERSION": "-1"}, "a version is a whole number, not -1"),
        ({"VERSION": "65535"}, "a version is from 1 to 65534"),
        ({"PRODCUT": "x"}, "there is no argument PRODCUT"),
        ({"LAYOUT_SLACK": "much"}, "LAYOUT_SLACK is a number of per cent below 100, as 2 or 0.5, not much"),
        ({"LAYOUT_RESERVE": "-1"}, "LAYOUT_RESERVE is a number of per cent"),
        ({"KEEP_LAYOUT": "old", "LAYOUT_RESERVE": "1"}, "KEEP_LAYOUT or LAYOUT_RESERVE, not both"),
        ({"KEEP_LAYOUT": "old.map"}, "one map is the layout of one product on one platform"),
    ],
)
def test_wrong_argument_is_refused(arguments: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Selection.from_arguments(ROOT, ROOT, arguments, KEYS)


def test_platform_that_no_product_is_made_for_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.c").touch()
    (tmp_path / "product.toml").write_text(
        'name = "x"\nid = 1\nversion = 1\nhardware_revisions = [0, 0]\nsources = ["x.c"]\nplatforms = ["p1"]\n'
    )
    assert selected(PRODUCT=str(tmp_path)).platform_names == ("p1",)
    with pytest.raises(ConfigError, match="nothing to build: no product is made for photon"):
        selected(PRODUCT=str(tmp_path), PLATFORM="photon")


def test_two_products_of_one_name_are_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "firmware/platforms", tmp_path / "firmware/platforms")
    for folder in ("one", "two"):
        shutil.copytree(ROOT / "firmware/products/blink", tmp_path / "firmware/products" / folder)
    with pytest.raises(ConfigError, match="two products are called blink"):
        Selection.from_arguments(tmp_path, tmp_path, {}, KEYS)


def test_folder_of_the_last_release_has_a_map_for_each_platform(tmp_path: Path) -> None:
    for platform in ("photon", "p1"):
        (tmp_path / platform).mkdir()
        (tmp_path / platform / "blink.map").write_text(LINKER_MAP)
    selection = selected(PRODUCT="firmware/products/blink", PLATFORM="photon,p1", KEEP_LAYOUT=str(tmp_path))
    maps = [selection.last_map(product, platform) for product, platform, _ in selection.folders(ROOT)]
    assert maps == [tmp_path / "photon" / "blink.map", tmp_path / "p1" / "blink.map"]


def test_map_of_the_last_release_may_be_named_itself(tmp_path: Path) -> None:
    (tmp_path / "v1.map").write_text(LINKER_MAP)
    selection = selected(PRODUCT="firmware/products/blink", PLATFORM="p1", KEEP_LAYOUT=str(tmp_path / "v1.map"))
    assert selection.last_map(selection.products[0], "p1") == tmp_path / "v1.map"


def test_last_release_without_a_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileFault, match=r"electron/blink\.map: the layout of the last release is kept by its map"):
        selected(PRODUCT="firmware/products/blink", PLATFORM="electron", KEEP_LAYOUT=str(tmp_path))


def test_outputs_of_the_same_build_are_no_last_release() -> None:
    with pytest.raises(ConfigError, match="is what this build writes"):
        selected(PRODUCT="firmware/products/blink", PLATFORM="photon", KEEP_LAYOUT="build/blink")
