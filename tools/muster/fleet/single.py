# SPDX-License-Identifier: Apache-2.0
"""Lets one simulated device talk to a server, at its own pace, until it is sent away."""

from __future__ import annotations

import asyncio
import os

from muster.errors import EnvironmentFault
from muster.fleet.fleet import CHECK_IN, Fleet
from muster.fleet.load import LOST_WAIT_S, REFUSED_WAIT_S, Address, http_post
from muster.fleet.wire import connect

_LATER = (408, 429, 500, 503)
"""Answers after which it comes again."""


async def live(fleet: Fleet, address: Address) -> None:
    """Lives the life of the fleet's only device. It ends when the server does not know its session or its key any more.

    Raises:
        MessageFormatError: what came is no answer.
    """
    loop = asyncio.get_running_loop()
    began_s, wire = loop.time(), None
    try:
        while True:
            try:
                if wire is None or not wire.is_open:
                    wire = await connect(address.host, address.port)
                request = fleet.next_request(0, int(loop.time() - began_s), os.urandom(48))
                status, body = await wire.ask(http_post(request))
            except EnvironmentFault:
                await asyncio.sleep(LOST_WAIT_S)
                continue
            if status in _LATER:
                await asyncio.sleep(REFUSED_WAIT_S)
            elif status != 200:
                return
            elif request.path == CHECK_IN:
                await asyncio.sleep(fleet.take(0, body))
            else:
                fleet.take_opened(0, request, body)
    finally:
        if wire is not None:
            wire.close()
