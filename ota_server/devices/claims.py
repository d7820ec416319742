# SPDX-License-Identifier: Apache-2.0
"""Who owns a device: claiming by id or by a code that the device tells, and giving it up."""

from __future__ import annotations

import secrets
import string
from collections.abc import Collection

from sqlalchemy import Connection, delete, func, insert, select, update

from ota_server.accounts import store as accounts
from ota_server.accounts.service import hash_of
from ota_server.customers import service as customers
from ota_server.customers import store as customers_store
from ota_server.customers.models import Customer
from ota_server.devices import store
from ota_server.devices.models import Device, DeviceStatus, claim_codes
from ota_server.errors import Conflict, Forbidden, Invalid, NotFound, ServerError
from ota_server.organizations.access import Actor, Owner, actor_of
from ota_server.organizations.roles import Permission
from ota_server.products import store as products
from ota_server.products.models import Claiming, Product
from ota_server.telemetry import store as telemetry
from ota_server.telemetry.models import HistoryKind

CODE_LENGTH = 63
CODE_LASTS_MS = 30 * 60 * 1000
CODES_MAX = 100
"""Of an account or customer, at once."""
OWNED_MAX = 1000
"""Devices of a customer."""

_ALPHABET = string.ascii_letters + string.digits


def own(connection: Connection, owners: Collection[Customer]) -> list[Device]:
    """What these customers own, denied devices aside, by id."""
    return store.of_customers(connection, [one.id for one in owners])


def find_own(connection: Connection, owners: Collection[Customer], name: str) -> Device:
    """One of what these customers own, by id or name.

    Raises:
        NotFound: they own no such device.
        Invalid: several have this name.
    """
    found = own(connection, owners)
    matches = [one for one in found if one.device_id == name.lower()] or [one for one in found if one.name == name]
    if not matches:
        raise NotFound(f"you own no device {name}: claim it first")
    if len(matches) > 1:
        raise Invalid(f"{len(matches)} devices have this name: use the id", "device")
    return matches[0]


def owners_of(connection: Connection, rows: Collection[Device]) -> dict[int, Customer]:
    """Owners of devices, by the customer's row."""
    return customers_store.by_rows(connection, {row.customer_id for row in rows if row.customer_id is not None})


def claim_by_id(connection: Connection, actor: Owner, device_id: str, now_ms: int) -> Device:
    """Makes the actor the owner of a device that nobody owns.

    Raises:
        NotFound: no such device of a product that the actor has to do with.
        Forbidden: the product wants claim codes, or no claims at all.
        Conflict: somebody else owns it, it is not trusted, or the actor owns too many.
    """
    device, product = with_product(connection, device_id)
    claim(connection, device, _claimant(connection, actor, product, Claiming.ID, now_ms), now_ms)
    return device


def with_product(connection: Connection, device_id: str) -> tuple[Device, Product]:
    """The device of an id that is not denied, of whatever product. Raises NotFound as `claim_by_id`."""
    rows = store.with_id(connection, device_id.lower())
    device = next((row for row in rows if row.status is not DeviceStatus.DENIED), None)
    product = None if device is None else products.get(connection, device.product_id)
    if device is None or product is None:
        raise NotFound("there is no device here that you could claim")
    return device, product


def claim(connection: Connection, device: Device, owner: Customer, now_ms: int) -> None:
    """Gives a device an owner. Raises Conflict: it has another one, it is not trusted, or the owner has too many."""
    if device.customer_id == owner.id:
        return
    if device.customer_id is not None:
        raise Conflict(
            f"device {device.device_id} belongs to someone else: its owner gives it up, or a team member takes it away"
        )
    if device.status not in (DeviceStatus.ACTIVE, DeviceStatus.EXPECTED):
        raise Conflict(f"device {device.device_id} is {device.status.value}: a team member approves it first")
    if len(own(connection, [owner])) >= OWNED_MAX:
        raise Conflict(f"{owner.email} owns {OWNED_MAX} devices: give one up first")
    store.change(connection, device.id, {"customer_id": owner.id})
    telemetry.add_history(connection, device.id, now_ms, HistoryKind.CHANGED, f"Claimed by {owner.email}.")


def release(connection: Connection, device: Device, by: str, now_ms: int) -> None:
    """Leaves a device without an owner, and without name and notes: the next owner does not read them."""
    if device.customer_id is not None:
        store.change(connection, device.id, {"customer_id": None, "name": "", "notes": ""})
        telemetry.add_history(connection, device.id, now_ms, HistoryKind.CHANGED, f"Taken from its owner by {by}.")


def remove_customer(connection: Connection, customer: Customer, by: str, now_ms: int) -> None:
    """Forgets a customer, with tokens and claim codes; their devices have no owner any more."""
    for device in own(connection, [customer]):
        release(connection, device, by, now_ms)
    customers.remove(connection, customer)


def new_code(connection: Connection, actor: Owner, product: Product | None, now_ms: int) -> str:
    """A code that makes the actor the owner of the one device that tells it; it is told only here.

    Raises:
        NotFound: the actor has nothing to do with the product.
        Forbidden: the product wants no claims.
        Conflict: too many codes wait for a device.
    """
    if product is None:
        assert isinstance(actor, Actor), "a customer claims devices of its product"
        holder = {"account_id": actor.account.id}
    else:
        holder = {"customer_id": _claimant(connection, actor, product, Claiming.CODE, now_ms).id}
    connection.execute(delete(claim_codes).where(claim_codes.c.expires_ms <= now_ms))
    where = [claim_codes.c[name] == value for name, value in holder.items()]
    if connection.execute(select(func.count()).select_from(claim_codes).where(*where)).scalar_one() >= CODES_MAX:
        raise Conflict(f"{CODES_MAX} claim codes wait for their device: use them, or wait until they expire")
    code = "".join(secrets.choice(_ALPHABET) for _ in range(CODE_LENGTH))
    connection.execute(insert(claim_codes).values(code_hash=hash_of(code), expires_ms=now_ms + CODE_LASTS_MS, **holder))
    return code


def redeem(connection: Connection, device: Device, product: Product, code: str, now_ms: int) -> None:
    """Does what a code says that a device told; why it cannot be done is a line of the device's history."""
    digest = hash_of(code)
    row = connection.execute(
        select(claim_codes.c.account_id, claim_codes.c.customer_id, claim_codes.c.device_row).where(
            claim_codes.c.code_hash == digest, claim_codes.c.expires_ms > now_ms
        )
    ).first()
    if row is not None and row.device_row == device.id:
        return
    try:
        if row is None or row.device_row is not None:
            raise Conflict("the claim code it told is not valid, was used, or has expired")
        claim(connection, device, _holder(connection, product, row.account_id, row.customer_id, now_ms), now_ms)
    except ServerError as error:
        once = f"claim {digest.hex()[:16]}"
        telemetry.add_history(connection, device.id, now_ms, HistoryKind.ALERT, f"Not claimed: {error}.", once)
    else:
        used = update(claim_codes).where(claim_codes.c.code_hash == digest).values(device_row=device.id)
        connection.execute(used)


def forget_codes(connection: Connection, device_row: int) -> None:
    """Forgets which codes a device has told."""
    connection.execute(delete(claim_codes).where(claim_codes.c.device_row == device_row))


def _holder(
    connection: Connection, product: Product, account_id: int | None, customer_id: int | None, now_ms: int
) -> Customer:
    """Whom a code makes the owner, if that may be by now. Raises NotFound, Forbidden."""
    customer = None if customer_id is None else customers_store.by_row(connection, customer_id)
    if customer is not None:
        if customer.product_id != product.id:
            raise NotFound("the claim code it told is for another product")
        account_id = customer.account_id
    if account_id is None and customer is not None:
        return _checked(product, customer, Claiming.CODE)
    account = None if account_id is None else accounts.by_id(connection, account_id)
    assert account is not None
    return _claimant(connection, actor_of(connection, account, ""), product, Claiming.CODE, now_ms)


def _claimant(connection: Connection, actor: Owner, product: Product, way: Claiming, now_ms: int) -> Customer:
    """The customer that an actor claims devices of a product as.

    Raises:
        NotFound: it has nothing to do with the product.
        Forbidden: it may not claim this way.
        Conflict: another customer has its address.
    """
    actor.check_unlimited()
    if isinstance(actor, Actor) and actor.may(product.organization_id, Permission.MANAGE_DEVICES):
        return customers.of_account(connection, product, actor.account, now_ms)
    found = next((one for one in actor.customers(connection) if one.product_id == product.id), None)
    if found is not None:
        return _checked(product, found, way)
    if product.organization_id in actor.organizations:
        raise Forbidden("your role does not let you claim devices")
    raise NotFound("there is no device here that you could claim")


def _checked(product: Product, customer: Customer, way: Claiming) -> Customer:
    if product.claiming is Claiming.OFF:
        raise Forbidden(f"devices of {product.name} are not claimed")
    if way is Claiming.ID and product.claiming is not Claiming.ID:
        raise Forbidden(f"a device of {product.name} is claimed with a claim code, which the device must tell")
    return customer
