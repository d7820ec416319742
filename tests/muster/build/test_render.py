# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from muster import layout
from muster.build.driver import source_root
from muster.build.render import Program, render
from muster.errors import ConfigError
from muster.platforms import load_platform

PHOTON = load_platform(source_root(), "photon")


def test_each_program_has_its_own_place_in_flash() -> None:
    regions = {program: program.region for program in Program}
    assert regions == {
        Program.BOOTLOADER: (0x0800_0000, 31_744),
        Program.SLOT_A: (0x0802_0000, 393_216 - 556),
        Program.SLOT_B: (0x0808_0000, 393_216 - 556),
    }


def test_scripts_of_the_slots_differ_only_in_the_origin() -> None:
    template = (source_root() / "firmware/platforms/templates/link.ld.jinja").read_text()
    slot_a, slot_b = (render(template, PHOTON, program=program) for program in (Program.SLOT_A, Program.SLOT_B))
    assert slot_a != slot_b
    assert slot_a.replace(f"0x{layout.SLOT_A_ADDR:08X}", f"0x{layout.SLOT_B_ADDR:08X}") == slot_b


def test_text_is_not_escaped() -> None:
    assert render('{{ platform.name }} < & "\n', PHOTON) == 'photon < & "\n'


@pytest.mark.parametrize("template", ["{{ product.name }}", "{{ platform.colour }}", "{% if %}"])
def test_template_that_asks_for_what_is_not_there_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match="the template cannot be filled in"):
        render(template, PHOTON)
