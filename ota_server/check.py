# SPDX-License-Identifier: Apache-2.0
"""Whether everything that the server keeps agrees: counters with rows, rows with each other, rows with bytes."""

from __future__ import annotations

from sqlalchemy import Connection

from ota_server.figures.check import check_figures
from ota_server.releases.check import check_releases
from ota_server.rollouts.check import check_rollouts
from ota_server.storage.blobs import BlobStore
from ota_server.storage.check import Difference, check_storage


def check(connection: Connection, kept: BlobStore, served: BlobStore, reads_blobs: bool = False) -> list[Difference]:
    """Everything that differs, as of one moment: a server that runs meanwhile does not disturb it."""
    return [
        *check_storage(connection),
        *check_rollouts(connection),
        *check_figures(connection),
        *check_releases(connection, kept, served, reads_blobs),
    ]
