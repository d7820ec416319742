# SPDX-License-Identifier: Apache-2.0
"""What a person does with their own account, by the API and on pages; all of it is audited."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection

from ota_server.accounts import mfa, service, store
from ota_server.accounts.models import AccountInfo
from ota_server.accounts.service import NewToken
from ota_server.api.context import act, check_own_password
from ota_server.audit import store as audit
from ota_server.audit.models import Entry
from ota_server.errors import Conflict, Invalid
from ota_server.oauth import store as clients
from ota_server.organizations import service as organizations
from ota_server.organizations.access import Actor
from ota_server.organizations.roles import Permission, scopes_text
from ota_server.services import Services


@dataclass(frozen=True, slots=True)
class Changes:
    """What to change of an account; None stays as it is.

    Attributes:
        email: another address, which waits for a link to be followed.
        ends_tokens: whether all access tokens end.
    """

    info: AccountInfo | None = None
    email: str | None = None
    password: str | None = None
    ends_tokens: bool = False

    @property
    def names(self) -> list[str]:
        """What is changed, in the API's words."""
        values = {"account_info": self.info, "username": self.email, "password": self.password}
        return [name for name, value in values.items() if value is not None]


def change(services: Services, actor: Actor, changes: Changes, current_password: str) -> str:
    """Changes them; returns what to say. With another password all browsers are signed out.

    Raises:
        Invalid: there is nothing to change, or a field has no legal value; `current_password` where that is wrong,
            which only names do without.
        Forbidden: the server sends no mail, so that an address cannot be changed.
        TooMany: too many wrong passwords, or enough mails.
    """
    changed, me = changes.names, actor.account
    if not changed:
        raise Invalid("say what to change: account_info, username or password")
    if changed != ["account_info"]:
        check_own_password(services, actor, current_password)
    hashed = None if changes.password is None else services.passwords.hash(changes.password)
    said = "saved"
    if changes.email is not None:
        now_ms = services.clock.now_ms()
        said = services.by_mail.ask_for_address(me, changes.email, actor.address, now_ms)

    def work(connection: Connection, now_ms: int) -> None:
        if changes.info is not None:
            store.set_info(connection, me.id, changes.info)
        if hashed is not None:
            services.by_mail.set_password(connection, me, hashed, now_ms)
        if changes.ends_tokens:
            store.end_tokens(connection, me.id)

    act(services, actor, "account.change", ", ".join(changed), work, None)
    return said


def delete(services: Services, actor: Actor, password: str) -> None:
    """Leaves every team and forgets the person; the audit log keeps what was done.

    Raises:
        Invalid, TooMany: as `change`.
        Conflict: the account owns an organization that others need.
    """
    check_own_password(services, actor, password)
    me = actor.account

    def work(connection: Connection, now_ms: int) -> None:
        organizations.leave_all(connection, me, actor.address, now_ms)
        for client in clients.clients_of(connection, me.id, None):
            clients.remove(connection, client)
        store.erase(connection, me.id)

    act(services, actor, "account.delete", f"account {me.id}", work, None)


# The second factor


def begin_mfa(services: Services, actor: Actor) -> tuple[str, str]:
    """A secret for an authenticator app, and the token that a code of it comes back with. Raises Conflict."""
    secret, now_ms = mfa.new_secret(), services.clock.now_ms()

    def write(connection: Connection) -> str:
        if mfa.is_on(connection, actor.account.id):
            raise Conflict("the second factor is on already: turn it off first")
        return mfa.challenge(connection, actor.account.id, now_ms, new_secret=secret)

    return secret, services.database.write(write)


def confirm_mfa(services: Services, actor: Actor, token: str, code: str, ends_tokens: bool) -> list[str]:
    """Turns it on by a code of the secret; returns recovery codes, which are told only here. Raises Invalid."""
    now_ms, me = services.clock.now_ms(), actor.account

    def write(connection: Connection) -> list[str] | None:
        found = mfa.answer(connection, token, code, now_ms)
        if found is None or found.new_secret is None or found.account_id != me.id:
            return None
        codes = mfa.turn_on(connection, me.id, found.new_secret)
        if ends_tokens:
            store.end_tokens(connection, me.id)
        audit.add(connection, Entry(now_ms, me.id, None, actor.address, "mfa.on", me.email))
        return codes

    # A wrong code is counted, so that it must be committed: it is no exception inside the write.
    codes = services.database.write(write)
    if codes is None:
        raise Invalid("this code is not right, or came too late: begin again", "otp")
    return codes


def renew_recovery_codes(services: Services, actor: Actor, password: str) -> list[str]:
    """Other recovery codes, told only here; those until now are none. Raises Invalid, TooMany, Conflict."""
    check_own_password(services, actor, password)

    def work(connection: Connection, _now_ms: int) -> list[str]:
        if not mfa.is_on(connection, actor.account.id):
            raise Conflict("the second factor is off: turn it on, which makes recovery codes")
        return mfa.renew_codes(connection, actor.account.id)

    return act(services, actor, "mfa.renew_codes", actor.email, work, None)


def disable_mfa(services: Services, actor: Actor, password: str) -> None:
    """Turns it off by the password. Raises Invalid, TooMany."""
    check_own_password(services, actor, password)

    def work(connection: Connection, _now_ms: int) -> None:
        mfa.turn_off(connection, actor.account.id)

    act(services, actor, "mfa.off", actor.email, work, None)


# Access tokens


def add_token(
    services: Services, actor: Actor, label: str, lasts_s: int | None, scopes: Collection[Permission] | None
) -> str:
    """Makes a token, which is told only here. Raises Invalid, Conflict.

    Args:
        lasts_s: None for a token that does not expire.
        scopes: all that it is to be good for; None for all that its account may do.
    """
    text = None if scopes is None else scopes_text(scopes)
    new = NewToken(label, lasts_s, scopes=text)
    return act(
        services,
        actor,
        "token.create",
        label,
        lambda connection, now_ms: service.add_token(connection, actor.account.id, new, now_ms),
        None,
        text or "",
    )


def revoke_token(services: Services, actor: Actor, number: int) -> None:
    """Ends one of the account's tokens by its id in the list. Raises NotFound."""
    act(
        services,
        actor,
        "token.revoke",
        str(number),
        lambda connection, now_ms: service.revoke_own(connection, actor.account, number, now_ms),
        None,
    )


def revoke_all_tokens(services: Services, actor: Actor) -> None:
    """Ends all tokens of the account, that of the request too."""

    def write(connection: Connection, _now_ms: int) -> None:
        store.end_tokens(connection, actor.account.id)

    act(services, actor, "token.revoke", "all", write, None)


# Browsers


def end_browser(services: Services, actor: Actor, number: int) -> None:
    """Signs one of the account's browsers out by its id in the list. Raises NotFound."""
    act(
        services,
        actor,
        "browser.end",
        str(number),
        lambda connection, _now_ms: service.end_browser(connection, actor.account, number),
        None,
    )


def end_browsers(services: Services, actor: Actor, kept: int | None = None) -> None:
    """Signs all browsers of the account out; `kept`: but for this one."""

    def write(connection: Connection, _now_ms: int) -> None:
        store.end_web_sessions(connection, actor.account.id, kept)

    act(services, actor, "browser.end", "all" if kept is None else "all others", write, None)
