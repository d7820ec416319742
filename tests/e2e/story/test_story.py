# SPDX-License-Identifier: Apache-2.0
"""A new server from its first link on: everything that its pages show and do, clicked through by people in Chromium,
while an emulated device and simulated ones report in. No page's console says anything; all pages are walked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from muster.keystore import KeyStore
from tests.conftest import BuildFirmware
from tests.e2e.story import arriving, customers, leaving, own_account, stocking, updating, watching
from tests.e2e.story.world import WAIT_MS, Firmware, World
from tests.ota_server.mail.mail_server import run_mail_server
from tests.ota_server.organizations.route_table import PAGES, PUBLIC_PAGES
from tests.ota_server.organizations.test_branding import png


@pytest.fixture
def world(tmp_path: Path, browser: Browser, key_store: KeyStore, built: BuildFirmware) -> Iterator[World]:
    expect.set_options(timeout=WAIT_MS)
    with ExitStack() as exits:
        mail_server = exits.enter_context(run_mail_server())
        made = World(tmp_path, browser, Firmware(key_store, built), mail_server, exits)
        made.start()
        yield made


def test_everything_on_the_pages_works_from_the_first_link_on(world: World) -> None:
    board, power_on = world.board()
    ana = arriving.set_up(world)
    ben = arriving.gather_team(world, ana)
    stocking.try_a_simulated_device(ana)
    stocking.change_settings(ana)
    stocking.upload(world, ana, 1, "First of all")
    stocking.first_device_comes(ana, power_on, board.device_id)
    kitchen, bedroom, cellar = devices = stocking.import_devices(world, ana)
    stocking.name_devices(ana, devices)
    stocking.save_cohorts(ana)
    stocking.upload(world, ben, 2, "Quieter fan")
    updating.plan(ben)
    updating.start_and_watch(ben, ana, board.device_id)
    updating.approve(ben, ana, kitchen, bedroom)
    updating.go_back(ben)
    watching.read_log(ana, cellar)
    watching.call_device(ana, board.device_id)
    updating.handle_releases(world, ana, ben)
    watching.meet_stranger(world, ana)
    watching.look_back(ana)
    customers.brand(ana, png(40, 20))
    api = customers.TeamApi(world)
    customers.handle_clients(ana)
    customers.come_by_the_app(world, api, ana, kitchen.device_id.hex())
    customers.come_by_their_server(api, ana)
    customers.come_by_their_account(world, api, ana)
    customers.help_customers(ana, kitchen)
    stocking.make_webhook(ana)
    leaving.change_owner(ana, ben)
    leaving.make_others(ana)
    own_account.forget_the_password(world, ben)
    codes = own_account.add_second_factor(world, ben)
    own_account.make_token_and_client(ben)
    own_account.sign_out_another(world, ben, codes)
    own_account.end(ben)
    leaving.leave(ana)
    assert world.complaints == []
    assert {*PAGES, *PUBLIC_PAGES} - world.walked == set(), "walk these pages in a chapter of tests/e2e/story"
