# SPDX-License-Identifier: Apache-2.0
"""What an account holds, in the management API: the second factor, invitations, access tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from ota_server.accounts import mfa
from ota_server.accounts import service as accounts
from ota_server.accounts import store as accounts_store
from ota_server.api import own_account, views
from ota_server.api.context import Number, OwnerDep, PersonDep, ServicesDep, act
from ota_server.organizations import service, store
from ota_server.organizations.roles import Permission, parse_scopes

router = APIRouter()


class TokenBody(BaseModel):
    """A token to be made.

    `expires_in`: seconds; without it the token lasts until it is revoked. `scopes`: all that it is to be good for;
    without them, all that the account may do.
    """

    model_config = ConfigDict(extra="forbid")

    label: str
    expires_in: Annotated[int | None, Field(ge=1)] = None
    scopes: Annotated[list[str] | None, Field(max_length=len(Permission))] = None


class CodeBody(BaseModel):
    """A code of the authenticator app, and the token that asked for it."""

    mfa_token: Annotated[str, Field(max_length=100)]
    otp: Annotated[str, Field(max_length=40)]
    invalidate_tokens: bool = False


class PasswordBody(BaseModel):
    current_password: Annotated[str, Field(max_length=accounts.PASSWORD_MAX)]


class AnswerBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    accept: bool


# The second factor


@router.get("/user/mfa-enable")
def begin_mfa(services: ServicesDep, actor: PersonDep) -> views.Json:
    """A secret for an authenticator app; nothing changes before a code of it comes back."""
    secret, token = own_account.begin_mfa(services, actor)
    return {"ok": True, "mfa_token": token, "secret": secret, "otpauth_url": mfa.uri_of(secret, actor.email)}


@router.post("/user/mfa-enable")
def confirm_mfa(body: CodeBody, services: ServicesDep, actor: PersonDep) -> views.Json:
    """Turns it on by a code of the secret; returns recovery codes, which are told only here."""
    codes = own_account.confirm_mfa(services, actor, body.mfa_token, body.otp, body.invalidate_tokens)
    return {"ok": True, "recovery_codes": codes}


@router.put("/user/mfa-recovery-codes")
def renew_recovery_codes(body: PasswordBody, services: ServicesDep, actor: PersonDep) -> views.Json:
    """Other recovery codes by the password, told only here; those until now are none."""
    codes = own_account.renew_recovery_codes(services, actor, body.current_password)
    return {"ok": True, "recovery_codes": codes}


@router.put("/user/mfa-disable")
def disable_mfa(body: PasswordBody, services: ServicesDep, actor: PersonDep) -> views.Json:
    """Turns it off by the password."""
    own_account.disable_mfa(services, actor, body.current_password)
    return {"ok": True}


# Invitations


@router.get("/user/invitations")
def list_invitations(services: ServicesDep, actor: PersonDep) -> views.Json:
    """Organizations that would like the account in their team."""
    with services.database.read() as connection:
        return {"invitations": [views.invitation(one) for one in store.invitations_to(connection, actor.email)]}


@router.post("/user/invitations/{organization}")
def answer_invitation(organization: str, body: AnswerBody, services: ServicesDep, actor: PersonDep) -> views.Json:
    """Accepts or declines."""
    now_ms = services.clock.now_ms()
    found = services.database.write(
        lambda connection: service.answer(connection, actor.account, organization, body.accept, actor.address, now_ms)
    )
    return {"ok": True, "invitation": views.invitation(found)}


# Access tokens


@router.get("/access_tokens")
def list_tokens(services: ServicesDep, actor: PersonDep) -> list[views.Json]:
    """The account's tokens, by name and first characters: the server itself does not know the rest."""
    with services.database.read() as connection:
        found = accounts_store.tokens_of(connection, actor.account.id, services.clock.now_ms())
    return [views.token(one) for one in found]


@router.post("/access_tokens", status_code=201)
def create_token(body: TokenBody, services: ServicesDep, actor: PersonDep) -> views.Json:
    """Makes a token, which is told only here."""
    scopes = None if body.scopes is None else parse_scopes(body.scopes)
    return {"ok": True, "token": own_account.add_token(services, actor, body.label, body.expires_in, scopes)}


@router.get("/access_tokens/current")
def show_token(actor: OwnerDep) -> views.Json:
    """The token that comes with the request."""
    assert actor.token is not None
    return {
        **views.token(actor.token),
        "client_id": actor.token.client,
        "orgs": [{"id": str(one.id), "slug": one.slug, "name": one.name} for one in actor.organizations.values()],
    }


@router.delete("/access_tokens/current")
def revoke_current_token(services: ServicesDep, actor: OwnerDep) -> views.Json:
    """Signs the caller out."""
    token = actor.token
    assert token is not None

    def write(connection: Connection, _now_ms: int) -> None:
        accounts_store.end_token(connection, token.id)

    act(services, actor, "token.revoke", token.prefix, write, None)
    return {"ok": True}


@router.delete("/access_tokens")
def revoke_all_tokens(services: ServicesDep, actor: PersonDep) -> views.Json:
    """Ends all tokens of the account, the one of the request too."""
    own_account.revoke_all_tokens(services, actor)
    return {"ok": True}


@router.delete("/access_tokens/id/{number}")
def revoke_own_token(number: Number, services: ServicesDep, actor: PersonDep) -> views.Json:
    """Ends one of the account's tokens by the id that the list gives."""
    own_account.revoke_token(services, actor, number)
    return {"ok": True}


@router.delete("/access_tokens/{token}")
def revoke_token(token: str, services: ServicesDep) -> views.Json:
    """Ends a token. Whoever can name it may: Particle's tools send nothing else."""
    now_ms = services.clock.now_ms()
    services.database.write(lambda connection: accounts.revoke(connection, token, now_ms))
    return {"ok": True}
