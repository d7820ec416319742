# SPDX-License-Identifier: Apache-2.0
"""What one run of the build makes: which products, which versions, for which platforms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from muster.errors import ConfigError
from muster.platforms import platform_names
from muster.product import Product, load_product

PRODUCTS_FOLDER = Path("firmware/products")
"""Where the example products are, from the root of the source tree."""

BUILD_FOLDER = Path("build")

ARGUMENT_NAMES = ("KEYS", "PLATFORM", "PRODUCT", "VERBOSE", "VERSION")


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
    """

    products: tuple[SelectedProduct, ...]
    platform_names: tuple[str, ...]
    keys_folder: Path
    verbose: bool

    @classmethod
    def from_arguments(
        cls, root: Path, start: Path, arguments: Mapping[str, str], default_keys_folder: Path
    ) -> Selection:
        """Reads the arguments of `scons` (NAME=value); relative folders count from `start`.

        Raises:
            ConfigError: an argument is unknown or wrong, or a product or platform is not valid.
            FileFault: a file cannot be read.
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
        return cls(
            products=products,
            platform_names=used,
            keys_folder=(start / arguments["KEYS"]).resolve() if "KEYS" in arguments else default_keys_folder,
            verbose=arguments.get("VERBOSE", "0") not in ("", "0"),
        )

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


def _check_names(products: tuple[SelectedProduct, ...]) -> None:
    seen: dict[str, Path] = {}
    for product in products:
        other = seen.setdefault(product.name, product.folder)
        if other != product.folder:
            raise ConfigError(f"two products are called {product.name}: {other} and {product.folder}")
