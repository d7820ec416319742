# SPDX-License-Identifier: Apache-2.0
"""Bytes on the wire, before any transport. `python tests/muster/protocol/sizes.py` prints them."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from muster.protocol import Answer, KeySetReference, Offer, Report, accept_opening, seal_answer, seal_report
from tests.vectors.fixed import signer
from tests.vectors.protocol.generate import STATE, device

HIGHEST = 0xFFFF_FFFF
HEALTH = {1: 20_000, 2: 100_000, 3: 100, 4: 1000, 5: 3}


def sizes() -> dict[str, int]:
    """What is sent -> its bytes, with a counter and numbers that are as long as they get in years."""
    client = device()
    request = client.begin(1, b"s" * 32, b"n" * 16)
    answer, keys = accept_opening(request, signer("online-1"), b"t" * 32, b"session1")
    reference = KeySetReference(2, bytes(32), 853)
    with_reference, _ = accept_opening(request, signer("online-1"), b"t" * 32, b"session1", [reference])
    client.finish(answer, [signer("online-1").public_key])
    first = client.seal(STATE, Report(uptime_s=5, boots=12))

    def up(report: Report) -> int:
        return len(seal_report(keys.session_id, keys.key, 0x10_0000, report))

    def down(reply: Answer) -> int:
        return len(seal_answer(keys.session_id, keys.key, 0x10_0000, reply))

    return {
        "opening: request": len(request),
        "opening: answer": len(answer),
        "opening: answer with one key set": len(with_reference),
        "first report of a session": len(first),
        "routine check-in up: uptime": up(Report(uptime_s=10_000_000)),
        "routine check-in up: uptime, health, hold": up(Report(uptime_s=10_000_000, health=HEALTH, hold_s=25)),
        "routine check-in down: nothing": down(Answer()),
        "routine check-in down: next": down(Answer(next_s=86_400)),
        "routine check-in down: next, four reports acknowledged": down(
            Answer(next_s=86_400, acknowledged=(HIGHEST,) * 4)
        ),
        "offer": down(Answer(next_s=0, offer=Offer(1000, bytes(16), bytes(32), 40_000, 390_000))),
    }


if __name__ == "__main__":
    for name, size in sizes().items():
        print(f"{size:5} {name}")
