# SPDX-License-Identifier: Apache-2.0
"""A product's clients, and customers that they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.ota_server import keys
from tests.ota_server.conftest import Server

PRODUCT = f"/products/{keys.PRODUCT}"
PASSWORD = "a good password"


def make_client(server: Server, product: str = PRODUCT, **fields: Any) -> dict[str, Any]:
    """A client of a product; its secret is in it. `product`: the path of the product."""
    body = {"name": "App", "type": "installed", **fields}
    made: dict[str, Any] = server.api("POST", f"{product}/clients", 201, json=body)["client"]
    return made


def make_customer(server: Server, email: str) -> str:
    """Makes a customer without a password, and returns their token."""
    return str(App(server, make_client(server)).sign_up(email=email, no_password="true")["access_token"])


@dataclass
class App:
    """An OAuth client of the product, as a program of its own uses it."""

    server: Server
    client: dict[str, Any]
    product: str = PRODUCT

    @property
    def who(self) -> dict[str, str]:
        return {"client_id": self.client["id"], "client_secret": self.client["secret"]}

    def sign_up(self, expect: int = 200, **form: str) -> Any:
        """Makes a customer."""
        fields = {"grant_type": "client_credentials", **self.who, **form}
        response = self.server.client.post(f"/v1{self.product}/customers", data=fields)
        assert response.status_code == expect, response.text
        return response.json()

    def trade(self, expect: int = 200, path: str = "/oauth/token", **form: str) -> Any:
        """Asks the token endpoint, or another one of OAuth's."""
        response = self.server.client.post(path, data={**self.who, **form})
        assert response.status_code == expect, response.text
        return response.json()

    def sign_in(self, email: str, expect: int = 200, password: str = PASSWORD) -> Any:
        return self.trade(expect, grant_type="password", username=email, password=password)


@pytest.fixture
def shop(server: Server) -> Server:
    """A server with the product."""
    server.product()
    return server


@pytest.fixture
def app(shop: Server) -> App:
    """An app on customers' phones: it makes customers with passwords."""
    return App(shop, make_client(shop, scope="create_customer"))


@pytest.fixture
def backend(shop: Server) -> App:
    """The product's own server: it knows its customers itself."""
    return App(shop, make_client(shop))
