# SPDX-License-Identifier: Apache-2.0
"""SCons tool: the steps of the build that are Muster's own. Each is a thin builder around one function of `muster`.

Everything a step reads is one of its sources: templates, platform.toml, product.toml, keys, and the code of the step.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from SCons.Action import Action
from SCons.Builder import Builder
from SCons.Errors import BuildError

from muster.build.kept_layout import KeptLayout
from muster.build.link_inputs import LinkInputs
from muster.build.mapfile import LinkMap
from muster.build.pack import image_spec, pack_image
from muster.build.render import Program, render
from muster.build.size import SizeReport
from muster.device.hexfile import board_hex
from muster.elf import Elf
from muster.errors import MusterError
from muster.image.image import Image
from muster.keystore import DEVELOPMENT, KEY_NAMES, KeyStore, key_path
from muster.platforms import Platform, load_platform, platform_names
from muster.product import Product, load_product
from muster.signing.keys import read_private_key
from muster.signing.signer import KeySigner
from muster.thirdparty import monocypher_dir

Step = Callable[[list[Path], list[Path], Any], None]

_LAYOUT_CODE = tuple(
    f"build/{name}.py" for name in ("kept_layout", "link_inputs", "mapfile", "placement", "section_match")
)


def exists(env: Any) -> bool:
    return True


def generate(env: Any) -> None:
    steps: dict[str, tuple[Step, str, tuple[str, ...]]] = {
        "Monocypher": (_fetch_monocypher, "fetch", ("thirdparty.py",)),
        "Render": (_render, "write", ("build/render.py", "layout.py", "platforms.py", "product.py")),
        "LinkScript": (_link_script, "write", (*_LAYOUT_CODE, "build/render.py", "layout.py", "platforms.py")),
        "KeptLayout": (_kept_layout, "write", (*_LAYOUT_CODE, "platforms.py")),
        "FlatBinary": (_flat_binary, "flatten", ("elf.py",)),
        "SignedImage": (_signed_image, "sign", ("build/pack.py", "elf.py", "layout.py", "image/*.py", "signing/*.py")),
        "DevelopmentHex": (_development_hex, "write", ("keystore.py", "device/*.py", "image/*.py", "signing/*.py")),
        "SizeReport": (_size_report, "measure", ("build/*size*.py", "elf.py", "platforms.py")),
    }
    for name, (step, verb, code) in steps.items():
        env.Append(BUILDERS={name: Builder(action=_action(step, verb), emitter=_reads_code(code))})
    folder = env["KEYS_FOLDER"]
    env["DEVELOPMENT_KEY"] = env.File(key_path(folder, DEVELOPMENT))
    env["DEVELOPMENT_KEYS"] = [env.File(key_path(folder, name)) for name in KEY_NAMES]


def _action(step: Step, verb: str) -> Any:
    def run(target: list[Any], source: list[Any], env: Any) -> None:
        try:
            step([Path(node.abspath) for node in target], [Path(node.abspath) for node in source], env)
        except MusterError as error:
            raise BuildError(node=target[0], errstr=str(error)) from error

    return Action(run, f"{verb} $TARGET", varlist=["VERSION", "PROGRAM", "LAYOUT_SLACK", "LAYOUT_RESERVE"])


def _reads_code(patterns: tuple[str, ...]) -> Callable[..., Any]:
    def emitter(target: list[Any], source: list[Any], env: Any) -> tuple[list[Any], list[Any]]:
        for pattern in patterns:
            env.Depends(target, env.Glob(f"#tools/muster/{pattern}"))
        return target, source

    return emitter


def _platform(path: Path) -> Platform:
    return load_platform(path.parents[3], path.parent.name)


def _product(path: Path, env: Any) -> Product:
    return load_product(path.parent, platform_names(Path(env.Dir("#").abspath))).at_version(env["VERSION"])


def _fetch_monocypher(targets: list[Path], sources: list[Path], env: Any) -> None:
    folder = monocypher_dir()
    for target in targets:
        target.write_bytes((folder / target.name).read_bytes())


def _render(targets: list[Path], sources: list[Path], env: Any) -> None:
    """Sources: template, platform.toml, and product.toml where the template speaks of a product."""
    template, platform, *product = sources
    text = render(
        template.read_text(encoding="utf-8"), _platform(platform), _product(product[0], env) if product else None
    )
    targets[0].write_text(text, encoding="utf-8")


def _link_script(targets: list[Path], sources: list[Path], env: Any) -> None:
    """Sources: template, platform.toml, and the kept layout where the last release is to be kept."""
    template, platform, *layout = sources
    kept = KeptLayout.from_json(layout[0].read_text(encoding="utf-8")) if layout else None
    program = Program(env["PROGRAM"])
    text = render(template.read_text(encoding="utf-8"), _platform(platform), program=program, kept=kept)
    targets[0].write_text(text, encoding="utf-8")


def _kept_layout(targets: list[Path], sources: list[Path], env: Any) -> None:
    """Targets: JSON and text. Sources: input sections of a free link, platform.toml, map of the last release if any."""
    inputs, platform, *last_map = sources
    free = LinkInputs.from_json(inputs.read_text(encoding="utf-8"))
    if last_map:
        old = LinkMap.from_text(last_map[0].read_text(encoding="utf-8"))
        kept = KeptLayout.plan(old, free, _platform(platform), env["LAYOUT_SLACK"])
    else:
        kept = KeptLayout.reserve(free, _platform(platform), env["LAYOUT_RESERVE"])
    targets[0].write_text(kept.to_json(), encoding="utf-8")
    targets[1].write_text(kept.report.to_text(), encoding="utf-8")
    print(f"layout {kept.report.summary}")


def _flat_binary(targets: list[Path], sources: list[Path], env: Any) -> None:
    """Source: ELF."""
    _, flat = Elf.from_bytes(sources[0].read_bytes()).flat()
    targets[0].write_bytes(flat)


def _signed_image(targets: list[Path], sources: list[Path], env: Any) -> None:
    """Sources: link at slot A, link at slot B, platform.toml, product.toml, keys of the signers."""
    slot_a, slot_b, platform, product, *keys = sources
    image = pack_image(
        Elf.from_bytes(slot_a.read_bytes()),
        Elf.from_bytes(slot_b.read_bytes()),
        image_spec(_product(product, env), _platform(platform)),
        *(KeySigner(read_private_key(key)) for key in keys),
    )
    targets[0].write_bytes(image.raw)


def _development_hex(targets: list[Path], sources: list[Path], env: Any) -> None:
    """Sources: bootloader, image, platform.toml, product.toml, every key of the key folder."""
    bootloader, image, platform_toml, product_toml, *keys = sources
    store = KeyStore(keys[0].parent, {key.stem: read_private_key(key) for key in keys})
    platform = _platform(platform_toml)
    identity = store.identity(_product(product_toml, env).product_id, platform.platform_id, platform.hardware_revision)
    text = board_hex(bootloader.read_bytes(), Image.from_bytes(image.read_bytes()), identity, store.keyset())
    targets[0].write_text(text, encoding="ascii", newline="\n")


def _size_report(targets: list[Path], sources: list[Path], env: Any) -> None:
    """Targets: text and JSON. Sources: ELF of the bootloader, of the firmware, image, platform.toml."""
    bootloader, firmware, image, platform = sources
    report = SizeReport.measure(
        _platform(platform),
        Elf.from_bytes(bootloader.read_bytes()),
        Elf.from_bytes(firmware.read_bytes()),
        image.stat().st_size,
    )
    # Written before it is judged: whoever is over budget wants to read it.
    targets[0].write_text(report.to_text(), encoding="utf-8")
    targets[1].write_text(report.to_json(), encoding="utf-8")
    report.check()
