# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from muster.build.driver import source_root
from muster.build.selection import example_products
from muster.errors import ConfigError, FileFault
from muster.product import Product, load_product

PLATFORMS = ["photon", "p1", "electron"]

TOML = """\
name = "lamp"
id = 4711
version = 3
security_counter = 7
hardware_revisions = [1, 9]
platforms = ["photon", "electron"]
sources = ["lamp.c", "control.c"]
trial_deadline_s = 60
watchdog_s = 8

[[earlier]]
version = 1
replace = {"control.c" = "earlier/1/control.c"}
"""

SMALL = 'name = "lamp"\nid = 1\nversion = 1\nhardware_revisions = [0, 0]\nsources = ["lamp.c"]\n'


def parsed(text: str) -> Product:
    return Product.from_toml(text, "product.toml", PLATFORMS)


def test_every_key_is_read() -> None:
    product = parsed(TOML)
    assert (product.name, product.product_id, product.version, product.security_counter) == ("lamp", 4711, 3, 7)
    assert (product.hardware_lowest, product.hardware_highest) == (1, 9)
    assert product.platforms == ("photon", "electron")
    assert (product.trial_deadline_s, product.watchdog_s) == (60, 8)


def test_what_may_be_left_out_has_defaults() -> None:
    product = parsed(SMALL)
    assert product.platforms == tuple(PLATFORMS)
    assert (product.security_counter, product.trial_deadline_s, product.watchdog_s) == (0, 600, 20)
    assert product.earlier == ()


def test_earlier_version_has_its_own_sources() -> None:
    earlier = parsed(TOML).at_version(1)
    assert earlier.version == 1
    assert earlier.sources == ("lamp.c", "earlier/1/control.c")


@pytest.mark.parametrize("version", [2, 3, 4, 65_534])
def test_version_that_is_not_listed_has_the_sources_of_today(version: int) -> None:
    other = parsed(TOML).at_version(version)
    assert (other.version, other.sources) == (version, ("lamp.c", "control.c"))


@pytest.mark.parametrize("version", [0, -1, 65_535])
def test_version_out_of_range_is_refused(version: int) -> None:
    with pytest.raises(ConfigError, match="a version is from 1 to 65534"):
        parsed(TOML).at_version(version)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('name = "lamp"', 'name = "Lamp"', "name: must be 1 to 31 of a-z"),
        ('name = "lamp"', 'name = "../lamp"', "name: must be 1 to 31 of a-z"),
        ('name = "lamp"', 'name = "common"', "name: common is a folder of the build"),
        ("id = 4711", "id = 0", "id: must be from 1 to 65534, not 0"),
        ("id = 4711", "", "id: is missing"),
        ("version = 3", "version = 65535", "version: must be from 1 to 65534"),
        ("version = 3", "version = true", "version: must be a whole number"),
        ("security_counter = 7", "security_counter = 4294967296", "security_counter: must be from 0 to 4294967295"),
        ("[1, 9]", "[9, 1]", "hardware_revisions: must be lowest and highest"),
        ("[1, 9]", "[1]", "hardware_revisions: must be lowest and highest"),
        ("[1, 9]", "[1, 65536]", "hardware_revisions: must hold whole numbers from 0 to 65535"),
        ('["photon", "electron"]', '["argon"]', "platforms: there is no platform argon"),
        ('["photon", "electron"]', '["p1", "p1"]', "platforms: names p1 twice"),
        ('["photon", "electron"]', "[]", "platforms: must be a list that is not empty"),
        ('["lamp.c", "control.c"]', '["/lamp.c"]', "sources: /lamp.c is not a C file inside"),
        ('["lamp.c", "control.c"]', '["../lamp.c"]', "sources: ../lamp.c is not a C file inside"),
        ('["lamp.c", "control.c"]', '["lamp.cpp"]', "sources: lamp.cpp is not a C file inside"),
        ("trial_deadline_s = 60", "trial_deadline_s = 9", "trial_deadline_s: must be from 10 to 86400"),
        ("watchdog_s = 8", "watchdog_s = 23", "watchdog_s: must be from 1 to 22"),
        ("watchdog_s = 8", "watchdog = 8", "watchdog: is not a key that is known here"),
        ("version = 1\n", "version = 3\n", "earlier 1: version: must be below the product's own, 3"),
        ('"control.c" =', '"other.c" =', "earlier 1: replace: other.c is not one of the sources"),
        ('"earlier/1/control.c"', '"../control.c"', "earlier 1: replace: ../control.c is not a C file inside"),
        ('"earlier/1/control.c"', "1", "earlier 1: replace: must be a table of texts"),
        ("[[earlier]]", "[earlier]", "earlier: must be an array of tables"),
    ],
)
def test_mistake_is_one_error_that_names_file_and_key(old: str, new: str, told: str) -> None:
    assert old in TOML
    with pytest.raises(ConfigError) as error:
        parsed(TOML.replace(old, new, 1))
    assert str(error.value).startswith("product.toml: ")
    assert told in str(error.value)


def test_version_listed_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="earlier 2: version: 1 is listed twice"):
        parsed(TOML + TOML[TOML.index("[[earlier]]") :])


def test_missing_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "product.toml").write_text(TOML)
    for name in ("lamp.c", "control.c"):
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=r"there is no source earlier/1/control\.c"):
        load_product(tmp_path, PLATFORMS)


def test_folder_without_product_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileFault, match=r"cannot read .*product\.toml"):
        load_product(tmp_path, PLATFORMS)


def test_example_products_are_valid() -> None:
    folders = example_products(source_root())
    assert folders
    products = [load_product(folder, PLATFORMS) for folder in folders]
    assert len({product.product_id for product in products}) == len(products)
