# SPDX-License-Identifier: Apache-2.0
"""What one run of the build makes: which products, which versions, for which platforms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from muster.build.kept_layout import SLACK_PERCENT
from muster.build.mapfile import LinkMap
from muster.errors import ConfigError, FileFault, LinkError
from muster.platforms import platform_names
from muster.product import Product, load_product

PRODUCTS_FOLDER = Path("firmware/products")
"""Where the example products are, from the root of the source tree."""

BUILD_FOLDER = Path("build")

ARGUMENT_NAMES = ("KEEP_LAYOUT", "KEYS", "LAYOUT_RESERVE", "LAYOUT_SLACK", "PLATFORM", "PRODUCT", "VERBOSE", "VERSION")


@dataclass(frozen=True, slots=True)
class SelectedProduct:
    """A product in its folder, at the version that is to be built.

    Attributes:
        folder: absolute.
        build_name: its folder inside the build folder: its name, and the version where another one than that of
            product.toml was asked for.
    """

    folder: Path
    facts: Product
    build_name: str

    @property
    def name(self) -> str:
        return self.facts.name

    @property
    def version(self) -> int:
        return self.facts.version

    @property
    def sources(self) -> tuple[str, ...]:
        return self.facts.sources

    @classmethod
    def load(cls, folder: Path, root: Path, version: int | None = None) -> SelectedProduct:
        """Reads the product in `folder`; `version` None means that of its product.toml.

        Raises:
            ConfigError, FileFault: as `muster.product.load_product`.
        """
        facts = load_product(folder, platform_names(root))
        if version is None or version == facts.version:
            return cls(folder, facts, facts.name)
        return cls(folder, facts.at_version(version), f"{facts.name}-{version}")


@dataclass(frozen=True, slots=True)
class Selection:
    """What one run of the build makes.

    Attributes:
        platform_names: all those that any of the products is built for.
        keys_folder: where the development keys are.
        verbose: print whole commands.
        last_release: the outputs of the last release, or its map: what the layout is kept of; None keeps none.
        layout_slack: what keeping it may cost, in per cent.
        layout_reserve: gaps for later releases, in per cent of flash; 0 leaves none.
    """

    products: tuple[SelectedProduct, ...]
    platform_names: tuple[str, ...]
    keys_folder: Path
    verbose: bool
    last_release: Path | None = None
    layout_slack: float = SLACK_PERCENT
    layout_reserve: float = 0.0

    @classmethod
    def from_arguments(
        cls, root: Path, start: Path, arguments: Mapping[str, str], default_keys_folder: Path
    ) -> Selection:
        """Reads the arguments of `scons` (NAME=value); relative folders count from `start`.

        Raises:
            ConfigError: an argument is unknown or wrong, or a product or platform is not valid.
            FileFault: a file cannot be read, or the last release has no map of a product and platform.
        """
        for name in arguments:
            if name not in ARGUMENT_NAMES:
                raise ConfigError(f"there is no argument {name} (known: {', '.join(ARGUMENT_NAMES)})")
        known = platform_names(root)
        wanted = arguments["PLATFORM"].split(",") if "PLATFORM" in arguments else known
        for platform in wanted:
            if platform not in known:
                raise ConfigError(f"there is no platform {platform} (known: {', '.join(known)})")
        folders = [(start / arguments["PRODUCT"]).resolve()] if "PRODUCT" in arguments else example_products(root)
        version = _version(arguments)
        products = tuple(SelectedProduct.load(folder, root, version) for folder in folders)
        _check_names(products)
        used = tuple(name for name in wanted if any(name in product.facts.platforms for product in products))
        if not used:
            raise ConfigError(f"nothing to build: no product is made for {', '.join(wanted)}")
        selection = cls(
            products=products,
            platform_names=used,
            keys_folder=(start / arguments["KEYS"]).resolve() if "KEYS" in arguments else default_keys_folder,
            verbose=arguments.get("VERBOSE", "0") not in ("", "0"),
            last_release=(start / arguments["KEEP_LAYOUT"]).resolve() if "KEEP_LAYOUT" in arguments else None,
            layout_slack=_percent(arguments, "LAYOUT_SLACK", SLACK_PERCENT),
            layout_reserve=_percent(arguments, "LAYOUT_RESERVE", 0.0),
        )
        selection._check_maps(root)
        return selection

    def products_for(self, platform: str) -> list[SelectedProduct]:
        """The products that are made for a platform."""
        return [product for product in self.products if platform in product.facts.platforms]

    def folders(self, root: Path) -> list[tuple[SelectedProduct, str, Path]]:
        """Every product and platform with the folder that its outputs go to."""
        return [
            (product, platform, root / BUILD_FOLDER / product.build_name / platform)
            for platform in self.platform_names
            for product in self.products_for(platform)
        ]

    @property
    def has_layout(self) -> bool:
        """Whether the build lays programs out itself instead of leaving it to the linker."""
        return self.last_release is not None or self.layout_reserve > 0

    def last_map(self, product: SelectedProduct, platform: str) -> Path | None:
        """The map of the last release that the layout is kept of."""
        if self.last_release is None or self.last_release.suffix == ".map":
            return self.last_release
        return self.last_release / platform / f"{product.name}.map"

    def _check_maps(self, root: Path) -> None:
        folders = self.folders(root)
        if self.last_release is not None and self.layout_reserve:
            raise ConfigError("a kept layout has the gaps of the last release: KEEP_LAYOUT or LAYOUT_RESERVE, not both")
        if self.last_release is not None and self.last_release.suffix == ".map" and len(folders) > 1:
            raise ConfigError("one map is the layout of one product on one platform: name both, or give a folder")
        for product, platform, out in folders:
            path = self.last_map(product, platform)
            if path is None:
                continue
            if path.is_relative_to(out.resolve()):
                raise ConfigError(f"{path} is what this build writes: copy the files of the last release elsewhere")
            if not path.is_file():
                raise FileFault(f"there is no {path}: the layout of the last release is kept by its map")
            _check_map(path)


def _check_map(path: Path) -> None:
    try:
        LinkMap.from_text(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileFault(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, LinkError) as error:
        text = f"{path} is no linker map: give the .map that the build of the last release wrote, or its folder"
        raise ConfigError(text) from error


def example_products(root: Path) -> list[Path]:
    """The folders of the products that come with the source tree."""
    return sorted(path.parent for path in (root / PRODUCTS_FOLDER).glob("*/product.toml"))


def _version(arguments: Mapping[str, str]) -> int | None:
    text = arguments.get("VERSION")
    if text is None:
        return None
    if not text.isascii() or not text.isdigit():
        raise ConfigError(f"a version is a whole number, not {text}")
    return int(text)


def _percent(arguments: Mapping[str, str], name: str, default: float) -> float:
    text = arguments.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]+)?", text, re.ASCII):
        raise ConfigError(f"{name} is a number of per cent below 100, as 2 or 0.5, not {text}")
    return float(text)


def _check_names(products: tuple[SelectedProduct, ...]) -> None:
    seen: dict[str, Path] = {}
    for product in products:
        other = seen.setdefault(product.name, product.folder)
        if other != product.folder:
            raise ConfigError(f"two products are called {product.name}: {other} and {product.folder}")
