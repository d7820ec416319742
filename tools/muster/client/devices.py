# SPDX-License-Identifier: Apache-2.0
"""Devices, their owners, and the log of a product."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote

from muster.client.wire import JsonObject, Wire, as_object, given, object_in, objects_in


class DeviceCalls(Wire):
    """Devices, their owners, and the log of a product."""

    def devices(self, product: int, filters: Mapping[str, str] | None = None) -> list[JsonObject]:
        """All devices of a product, or those that filters leave, such as groups, tag, status or version."""
        found: list[JsonObject] = []
        page, pages = 1, 1
        while page <= pages:
            query = {**(filters or {}), "page": str(page), "per_page": "500"}
            answer = as_object(self.call("GET", f"/products/{product}/devices", params=query))
            found += objects_in(answer, "devices")
            total = object_in(answer, "meta").get("total_pages")
            pages = total if isinstance(total, int) else 1
            page += 1
        return found

    def device(self, product: int, device_id: str) -> JsonObject:
        """One device with attempts, history, logs and the reason why it runs what it runs."""
        return as_object(self.call("GET", f"/products/{product}/devices/{device_id}"))

    def explain(self, product: int, device_id: str) -> JsonObject:
        """What a device is offered, and what each rule says about it."""
        return as_object(self.call("GET", f"/products/{product}/devices/{device_id}/explain"))

    def approve(self, product: int, device_id: str, fingerprint: str | None = None) -> JsonObject:
        """Trusts a quarantined device's key."""
        body = {} if fingerprint is None else {"fingerprint": fingerprint}
        return as_object(self.call("POST", f"/products/{product}/devices/{device_id}/approve", json=body))

    def change_device(self, product: int, device_id: str, **changes: object) -> JsonObject:
        """Sets name, notes, groups, development or desired_firmware_version (None unlocks)."""
        return as_object(self.call("PUT", f"/products/{product}/devices/{device_id}", json=changes))

    def remove_device(self, product: int, device_id: str, deny: bool = False) -> None:
        """Takes a device out of the product, or denies it."""
        self.call("DELETE", f"/products/{product}/devices/{device_id}", json={"deny": deny})

    def flash_device(self, product: int, device_id: str, image: bytes) -> JsonObject:
        """Has a device for development offered an image at its next check-in."""
        files = {"file": ("firmware.bin", image, "application/octet-stream")}
        return as_object(self.call("PUT", f"/products/{product}/devices/{device_id}", files=files))

    def import_table(self, product: int, table: bytes) -> JsonObject:
        """Imports a table (CSV) of devices, or a list of ids."""
        return as_object(self.call("POST", f"/products/{product}/devices", files={"file": ("file", table, "text/csv")}))

    def devices_csv(self, product: int, filters: Mapping[str, str] | None = None) -> Iterator[bytes]:
        """All devices as a table, in pieces."""
        return self.pieces(f"/products/{product}/devices", {"format": "csv", **given(filters)})

    def log(self, product: int, limit: int = 200, filters: Mapping[str, str] | None = None) -> JsonObject:
        """`log`, newest first, and `next`.

        Filters: kind, level, device, version, cohort, name, text, since, until, before.
        """
        query = {**given(filters), "limit": str(limit)}
        return as_object(self.call("GET", f"/products/{product}/log", params=query))

    def log_csv(self, product: int, filters: Mapping[str, str] | None = None) -> Iterator[bytes]:
        """All of it as CSV, in pieces."""
        return self.pieces(f"/products/{product}/log", {"format": "csv", **given(filters)})

    def claim_device(self, device_id: str) -> JsonObject:
        """Makes the account the owner of a device."""
        return as_object(self.call("POST", "/devices", json={"id": device_id}))

    def claim_code(self, product: int | None = None) -> str:
        """A code that makes the account the owner of the device that tells it."""
        path = "/device_claims" if product is None else f"/products/{product}/device_claims"
        return str(as_object(self.call("POST", path)).get("claim_code", ""))

    def give_up_device(self, device: str) -> None:
        """Gives up a device that the account owns, by id or name."""
        self.call("DELETE", f"/devices/{quote(device)}")

    def take_from_owner(self, product: int, device_id: str) -> None:
        """Leaves a device without an owner."""
        self.call("DELETE", f"/products/{product}/devices/{device_id}/owner")

    def import_devices(self, product: int, devices: Mapping[str, str | None]) -> JsonObject:
        """Makes devices known: id -> public key (hexadecimal) or None."""
        lines = "\n".join(device if key is None else f"{device} {key}" for device, key in devices.items())
        files = {"file": ("file", lines.encode(), "text/plain")}
        return as_object(self.call("POST", f"/products/{product}/devices", files=files))

    def call_function(self, product: int, device_id: str, function: str, argument: str) -> JsonObject:
        """Calls a function of a device: `return_value`."""
        path = f"/products/{product}/devices/{device_id}/{quote(function, safe='')}"
        return as_object(self.call("POST", path, json={"arg": argument}))

    def read_variable(self, product: int, device_id: str, variable: str) -> JsonObject:
        """Reads a variable of a device: `result`."""
        return as_object(self.call("GET", f"/products/{product}/devices/{device_id}/{quote(variable, safe='')}"))

    def signal_device(self, product: int, device_id: str, is_on: bool) -> JsonObject:
        """Has a device show people which one it is, or stop that."""
        return self.change_device(product, device_id, signal="1" if is_on else "0")

    def watch_device(self, product: int, device_id: str, seconds: int) -> JsonObject:
        """Has a device answer at once for so long; 0 ends it."""
        return as_object(self.call("PUT", f"/products/{product}/devices/{device_id}/watch", json={"seconds": seconds}))
