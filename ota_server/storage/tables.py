# SPDX-License-Identifier: Apache-2.0
"""All tables: importing this module registers each of them with the MetaData."""

from __future__ import annotations

from ota_server.accounts import models as _accounts
from ota_server.audit import models as _audit
from ota_server.calls import models as _calls
from ota_server.customers import models as _customers
from ota_server.devices import models as _devices
from ota_server.figures import models as _figures
from ota_server.mail import models as _mail
from ota_server.oauth import models as _oauth
from ota_server.organizations import api_users as _api_users
from ota_server.organizations import models as _organizations
from ota_server.products import models as _products
from ota_server.releases import models as _releases
from ota_server.rollouts import models as _rollouts
from ota_server.storage import restore as _restore
from ota_server.storage.schema import metadata
from ota_server.telemetry import models as _telemetry
from ota_server.usage import models as _usage
from ota_server.webhooks import models as _webhooks

REGISTERED = (
    _accounts,
    _api_users,
    _audit,
    _calls,
    _customers,
    _devices,
    _figures,
    _mail,
    _oauth,
    _organizations,
    _products,
    _releases,
    _restore,
    _rollouts,
    _telemetry,
    _usage,
    _webhooks,
)

__all__ = ["REGISTERED", "metadata"]
