# SPDX-License-Identifier: Apache-2.0
"""People in the management API: sign up, who one is, change it, go."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, StringConstraints

from ota_server.accounts import mfa
from ota_server.accounts import service as accounts
from ota_server.accounts import store as accounts_store
from ota_server.accounts.addresses import EMAIL_MAX
from ota_server.accounts.models import AccountInfo
from ota_server.api import own_account, views
from ota_server.api.context import ActorDep, Number, PersonDep, ServicesDep, address_of
from ota_server.api.own_account import Changes

router = APIRouter()

Email = Annotated[str, Field(max_length=EMAIL_MAX)]
Password = Annotated[str, Field(max_length=accounts.PASSWORD_MAX)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
LinkToken = Annotated[str, Field(max_length=100)]


class InfoBody(BaseModel):
    """What Particle's tools say of a person; fields that we do not keep are left out."""

    first_name: Name = ""
    last_name: Name = ""
    company_name: Name = ""
    business_account: bool = False


class SignUpBody(BaseModel):
    username: Email
    password: Password


class VerifyBody(BaseModel):
    """The token of the link, and the password that was chosen with it."""

    token: LinkToken
    password: Password


class ForgottenBody(BaseModel):
    username: Email


class ResetBody(BaseModel):
    token: LinkToken
    password: Password


class ChangeBody(BaseModel):
    """Either of them; an address or a password needs the current password."""

    account_info: InfoBody | None = None
    username: Email | None = None
    password: Password | None = None
    current_password: Password = ""
    invalidate_tokens: bool = False


class DeleteBody(BaseModel):
    password: Password


# By a link in a mail


@router.post("/users")
def sign_up(body: SignUpBody, request: Request, services: ServicesDep) -> views.Json:
    """Sends a link to an address that may sign up. The answer is the same for every address."""
    now_ms = services.clock.now_ms()
    said = services.by_mail.sign_up(body.username, body.password, address_of(request), now_ms)
    services.jobs.postman.wake()
    return {"ok": True, "message": said}


@router.post("/user/verify")
def verify(body: VerifyBody, request: Request, services: ServicesDep) -> views.Json:
    """Makes the account, or changes its address, that a link is for."""
    account, _ = services.by_mail.follow(body.token, body.password, address_of(request), services.clock.now_ms())
    return {"ok": True, "username": account.email}


@router.post("/user/password-reset")
def forgot(body: ForgottenBody, request: Request, services: ServicesDep) -> views.Json:
    """Sends a link to an address that has an account. The answer is the same for every address."""
    said = services.by_mail.ask_for_password(body.username, address_of(request), services.clock.now_ms())
    services.jobs.postman.wake()
    return {"ok": True, "message": said}


@router.put("/user/password-reset")
def reset(body: ResetBody, request: Request, services: ServicesDep) -> views.Json:
    """Chooses another password by a link; all sign-ins and tokens of the account end."""
    services.by_mail.choose_password(body.token, body.password, address_of(request), services.clock.now_ms())
    services.jobs.postman.wake()
    return {"ok": True}


# One's own account


@router.get("/user")
def get_user(services: ServicesDep, actor: ActorDep) -> views.Json:
    """Whose token it is."""
    with services.database.read() as connection:
        info = accounts_store.info(connection, actor.account.id)
        codes = mfa.codes_left(connection, actor.account.id)
        return views.user(actor.account, info, mfa.is_on(connection, actor.account.id), codes)


@router.put("/user")
def change_user(body: ChangeBody, services: ServicesDep, actor: PersonDep) -> views.Json:
    """Changes names, the password, or the address, which waits for a link to be followed."""
    info = None if body.account_info is None else AccountInfo(**body.account_info.model_dump())
    changes = Changes(info, body.username, body.password, body.invalidate_tokens)
    return {"ok": True, "message": own_account.change(services, actor, changes, body.current_password)}


@router.delete("/user")
def delete_user(body: DeleteBody, services: ServicesDep, actor: PersonDep) -> views.Json:
    """Leaves every team and forgets the person; the audit log keeps what was done."""
    own_account.delete(services, actor, body.password)
    return {"ok": True, "message": "your account is deleted"}


# Signed-in browsers


@router.get("/user/browsers")
def list_browsers(services: ServicesDep, actor: PersonDep) -> views.Json:
    """Browsers in which the account is signed in, last used first."""
    with services.database.read() as connection:
        found = accounts_store.browsers_of(connection, actor.account.id, services.clock.now_ms())
    return {"browsers": [views.browser(one) for one in found]}


@router.delete("/user/browsers")
def end_browsers(services: ServicesDep, actor: PersonDep) -> views.Json:
    """Signs all of them out."""
    own_account.end_browsers(services, actor)
    return {"ok": True}


@router.delete("/user/browsers/{number}")
def end_browser(number: Number, services: ServicesDep, actor: PersonDep) -> views.Json:
    """Signs one of them out by the id that the list gives."""
    own_account.end_browser(services, actor, number)
    return {"ok": True}
