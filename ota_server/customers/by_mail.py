# SPDX-License-Identifier: Apache-2.0
"""Customers sign up, and choose another password, by a link in a mail.

As for accounts (`accounts.by_mail`), no answer tells whether an address is a customer's, before a link is followed
there is no customer, and following it needs the password that was chosen with it.
"""

from __future__ import annotations

from sqlalchemy import Connection

from ota_server.accounts import links
from ota_server.accounts.addresses import clean_email, normal_email
from ota_server.accounts.links import Link, Purpose
from ota_server.accounts.service import Passwords
from ota_server.audit import store as audit
from ota_server.audit.models import Entry
from ota_server.customers import service, store
from ota_server.customers.letters import CustomerLetters, Storefront
from ota_server.customers.models import Customer
from ota_server.customers.tokens import password_key
from ota_server.errors import Forbidden, Invalid
from ota_server.mail import outbox
from ota_server.mail.limits import MailLimits
from ota_server.storage.database import Database


class CustomersByMail:
    """The rules.

    Args:
        url: where people reach this server; None where it sends no mail: then nothing of this is possible.
    """

    def __init__(self, database: Database, passwords: Passwords, url: str | None, limits: MailLimits) -> None:
        self._database = database
        self._passwords = passwords
        self._url = url
        self._limits = limits

    @property
    def is_on(self) -> bool:
        return self._url is not None

    def sign_up(self, front: Storefront, email: str, password: str, address: str, now_ms: int) -> str:
        """Sends a link. Returns what to say, which is the same for every address.

        Raises:
            Invalid: no address, or no password.
            Forbidden: the server sends no mail.
            TooMany: there were enough mails.
        """
        letters = self._letters(front)
        email = clean_email(email)
        self._limits.take(email, address, now_ms)
        hashed = self._passwords.hash(password)

        def write(connection: Connection) -> None:
            known = store.by_email(connection, front.product.id, email)
            if known is None:
                link = Link(Purpose.CUSTOMER, email, password_hash=hashed, product_id=front.product.id)
                outbox.put(connection, letters.sign_up(email, links.make(connection, link, now_ms)), now_ms)
            elif known.password_hash is None:
                outbox.put(connection, letters.has_no_password(email), now_ms)
            else:
                outbox.put(connection, letters.is_customer(email), now_ms)

        self._database.write(write)
        return f"A mail is on its way to {email}: follow the link in it."

    def ask_for_password(self, front: Storefront, email: str, address: str, now_ms: int) -> str:
        """Sends a link to a customer. Returns what to say. Raises Forbidden, TooMany."""
        letters = self._letters(front)
        email = normal_email(email)
        self._limits.take(email, address, now_ms)

        def write(connection: Connection) -> None:
            known = store.by_email(connection, front.product.id, email)
            if known is not None and known.password_hash is None:
                outbox.put(connection, letters.has_no_password(email), now_ms)
            elif known is not None:
                link = Link(Purpose.CUSTOMER_PASSWORD, email, product_id=front.product.id)
                outbox.put(connection, letters.password(email, links.make(connection, link, now_ms)), now_ms)

        self._database.write(write)
        return f"If {email} has an account here, a mail with a link is on its way to it."

    def follow(self, front: Storefront, token: str, password: str, address: str, now_ms: int) -> Customer:
        """Makes the customer that a link is for.

        Raises:
            Invalid: no such link.
            Unauthorized, TooMany: wrong password.
            Conflict: there is such a customer by now.
        """
        with self._database.read() as connection:
            link = _find(connection, front, token, Purpose.CUSTOMER, now_ms)
        self._passwords.check_hash(link.password_hash, password_key(front.product, link.email), password, now_ms)

        def write(connection: Connection) -> Customer:
            used = links.use(connection, token, frozenset({Purpose.CUSTOMER}), now_ms)
            made = service.add(connection, front.product, used.email, used.password_hash, now_ms)
            audit.add(connection, _line(front, made, "customer.create", address, now_ms))
            return made

        return self._database.write(write)

    def choose_password(self, front: Storefront, token: str, password: str, address: str, now_ms: int) -> None:
        """Gives a customer another password; all that they signed in with before ends.

        Raises:
            Invalid: no such link, or no password.
            NotFound: the customer is none any more.
        """
        letters = self._letters(front)
        with self._database.read() as connection:
            _find(connection, front, token, Purpose.CUSTOMER_PASSWORD, now_ms)
        hashed = self._passwords.hash(password)

        def write(connection: Connection) -> None:
            link = links.use(connection, token, frozenset({Purpose.CUSTOMER_PASSWORD}), now_ms)
            customer = service.find(connection, front.product, link.email)
            service.set_password(connection, customer, hashed)
            outbox.put(connection, letters.password_changed(customer.email), now_ms)
            audit.add(connection, _line(front, customer, "customer.reset_password", address, now_ms))

        self._database.write(write)

    def _letters(self, front: Storefront) -> CustomerLetters:
        if self._url is None:
            raise Forbidden("this server sends no mail, so that this is not possible: ask whoever runs it")
        return CustomerLetters(self._url, front)


def _find(connection: Connection, front: Storefront, token: str, purpose: Purpose, now_ms: int) -> Link:
    """The link of a token, which is for this product. Raises Invalid."""
    link = links.find(connection, token, frozenset({purpose}), now_ms)
    if link.product_id != front.product.id:
        raise Invalid("this link is for another product", "token")
    return link


def _line(front: Storefront, customer: Customer, action: str, address: str, now_ms: int) -> Entry:
    """Of the audit log. A customer is named by its number: the log outlives their address."""
    subject, detail = f"customer {customer.id}", front.asked.get("client_id", "")
    return Entry(now_ms, None, front.product.organization_id, address, action, subject, detail)
