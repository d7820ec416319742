# SPDX-License-Identifier: Apache-2.0
"""Saved cohorts of a product: rules and SQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, update

from ota_server.devices import groups
from ota_server.errors import Conflict, Invalid, NotFound
from ota_server.products.models import Product
from ota_server.rollouts.cohort import NAME, Cohort, InGroup, Saved
from ota_server.rollouts.cohort_sql import Conditions
from ota_server.rollouts.models import OPEN, RolloutStatus, SavedCohort, cohorts, rollouts, stages

COHORTS_MAX = 500
"""Of a product."""
DESCRIPTION_MAX = 1000
RESOLVED_MAX = 1_000_000
"""Characters of a cohort with all that it names."""
_SALT = b"preview"
"""What percentages are drawn with where no rollout has drawn."""

_COLUMNS = tuple(cohorts.c[field.name] for field in fields(SavedCohort))
_IS_WAITING = rollouts.c.status.in_((RolloutStatus.DRAFT, RolloutStatus.SCHEDULED))


def of_product(connection: Connection, product_id: int) -> list[SavedCohort]:
    """By name."""
    rows = connection.execute(select(*_COLUMNS).where(cohorts.c.product_id == product_id).order_by(cohorts.c.name))
    return [SavedCohort(*row) for row in rows]


def find(connection: Connection, product_id: int, name: str) -> SavedCohort:
    """Raises NotFound."""
    where = (cohorts.c.product_id == product_id, cohorts.c.name == name)
    row = connection.execute(select(*_COLUMNS).where(*where)).first()
    if row is None:
        raise NotFound(f"product {product_id} has no cohort {name[:64]}")
    return SavedCohort(*row)


def create(connection: Connection, product: Product, name: str, cohort: Cohort, description: str = "") -> SavedCohort:
    """Raises NotFound, Invalid; Conflict when there is one already, or there are too many."""
    if not NAME.fullmatch(name):
        raise Invalid("a cohort's name has 1 to 64 lower-case letters, digits, _ and -", "name")
    _check(connection, product, cohort, description)
    names = {one.name for one in of_product(connection, product.id)}
    if name in names:
        raise Conflict(f"there is a cohort {name} already")
    if len(names) >= COHORTS_MAX:
        raise Conflict(f"a product has at most {COHORTS_MAX} cohorts")
    values = {"product_id": product.id, "name": name, "description": description, "cohort": cohort}
    connection.execute(insert(cohorts).values(**values))
    return find(connection, product.id, name)


def change(
    connection: Connection, product: Product, name: str, cohort: Cohort | None, description: str | None
) -> SavedCohort:
    """Sets what it holds, or its description; None leaves it. Rollouts that have started keep what it was.

    Raises NotFound, Invalid.
    """
    found = find(connection, product.id, name)
    after = found.cohort if cohort is None else cohort
    description = found.description if description is None else description
    _check(connection, product, after, description)
    values = {"cohort": after, "description": description}
    connection.execute(update(cohorts).where(cohorts.c.id == found.id).values(**values))
    for _, user in _of_rollouts(connection, product.id, _IS_WAITING):
        if name in user.named(Saved):
            resolve(connection, product.id, user)
    return find(connection, product.id, name)


def remove(connection: Connection, product: Product, name: str) -> None:
    """Raises NotFound; Conflict while something names it."""
    found = find(connection, product.id, name)
    users = used_by(connection, product.id, name)
    if users:
        raise Conflict(f"rollout {users[0]} names cohort {name}, and has not started: abort it, or start it")
    connection.execute(delete(cohorts).where(cohorts.c.id == found.id))


def used_by(connection: Connection, product_id: int, name: str) -> list[int]:
    """Rollouts that have not started yet and name a cohort. Those that have keep what it was."""
    named = (
        number for number, cohort in _of_rollouts(connection, product_id, _IS_WAITING) if name in cohort.named(Saved)
    )
    return list(dict.fromkeys(named))


def check_group_unused(connection: Connection, product: Product, group: str) -> None:
    """For who removes or renames a group. Raises Conflict while a saved cohort or an open rollout names it."""
    for saved in of_product(connection, product.id):
        if group in saved.cohort.named(InGroup):
            raise Conflict(f"cohort {saved.name} names group {group}: change the cohort first")
    is_late = and_(rollouts.c.status == RolloutStatus.COMPLETED, rollouts.c.version > (product.default_version or 0))
    for rollout_id, cohort in _of_rollouts(connection, product.id, or_(rollouts.c.status.in_(OPEN), is_late)):
        if group in cohort.named(InGroup):
            raise Conflict(f"rollout {rollout_id} names group {group}: abort it first")


def check_names(connection: Connection, product: Product, cohort: Cohort) -> None:
    """Raises NotFound for a group or a saved cohort that is not there; Invalid as `resolve`."""
    for name in sorted(resolve(connection, product.id, cohort).named(InGroup)):
        groups.find(connection, product, name)


def condition(connection: Connection, product_id: int, cohort: Cohort, now_ms: int) -> ColumnElement[bool]:
    """What is true of the devices that a cohort holds now, outside of any rollout. Raises as `resolve`."""
    return Conditions(connection, product_id, _SALT, now_ms).of(resolve(connection, product_id, cohort))


def resolve(connection: Connection, product_id: int, cohort: Cohort) -> Cohort:
    """A cohort with the expressions of the saved ones that it names, as they are now.

    Raises:
        NotFound: there is no such cohort.
        Invalid: it is too large with them.
    """
    known: dict[str, tuple[Cohort, int]] = {}
    left = RESOLVED_MAX

    def lookup(name: str) -> Cohort:
        nonlocal left
        if name not in known:
            saved = find(connection, product_id, name).cohort
            known[name] = saved, len(saved.to_text())
        left -= known[name][1]
        if left < 0:
            raise Invalid("it is too large with the cohorts that it names", "cohort")
        return known[name][0]

    return cohort.resolved(lookup)


def _check(connection: Connection, product: Product, cohort: Cohort, description: str) -> None:
    if len(description) > DESCRIPTION_MAX:
        raise Invalid(f"a description has at most {DESCRIPTION_MAX} characters", "description")
    if cohort.named(Saved):
        raise Invalid("a saved cohort names no other one; a stage of a rollout may name several", "cohort")
    check_names(connection, product, cohort)


def _of_rollouts(connection: Connection, product_id: int, which: ColumnElement[bool]) -> Iterator[tuple[int, Cohort]]:
    rows = connection.execute(
        select(stages.c.rollout_id, stages.c.cohort)
        .join(rollouts, rollouts.c.id == stages.c.rollout_id)
        .where(rollouts.c.product_id == product_id, which)
        .order_by(stages.c.rollout_id)
    )
    return ((rollout_id, cohort) for rollout_id, cohort in rows)
