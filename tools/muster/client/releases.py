# SPDX-License-Identifier: Apache-2.0
"""Products, their releases and what rolls them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from muster.client.wire import JsonObject, Wire, as_object, object_in, objects_in


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a rollout: `percent` of a cohort; it ends at `min_confirmed` and pauses above `max_failures`."""

    percent: int
    min_confirmed: int
    max_failures: int

    def to_json(self) -> JsonObject:
        """Of all devices."""
        gate = {"min_confirmed": self.min_confirmed, "max_failures": self.max_failures}
        return {"percent": self.percent, "gate": gate}


class ReleaseCalls(Wire):
    """Products, their releases and what rolls them out."""

    def products(self) -> list[JsonObject]:
        """All products."""
        return objects_in(self.call("GET", "/products"), "products")

    def create_product(self, product_id: int, name: str, **fields: object) -> JsonObject:
        """Makes a product; `fields` are slug, description, auto_approve, check_in_interval_s, quarantine_max."""
        body = {"product": {"id": product_id, "name": name, **fields}}
        return object_in(self.call("POST", "/products", json=body), "product")

    def publish(self, image: bytes, product: int, elf: bytes | None = None, title: str = "") -> JsonObject:
        """Uploads an image, with its ELF file if there is one; returns the release."""
        files = {"file": ("firmware.bin", image, "application/octet-stream")}
        if elf is not None:
            files["elf"] = ("firmware.elf", elf, "application/octet-stream")
        answer = self.call("POST", f"/products/{product}/firmware", files=files, data={"title": title})
        return as_object(answer)

    def product(self, product: int) -> JsonObject:
        """One product."""
        return object_in(self.call("GET", f"/products/{product}"), "product")

    def change_product(self, product: int, **changes: object) -> JsonObject:
        """Changes settings of a product."""
        return object_in(self.call("PUT", f"/products/{product}", json={"product": changes}), "product")

    def remove_product(self, product: int) -> None:
        """Removes a product that has neither devices nor releases."""
        self.call("DELETE", f"/products/{product}")

    def release(self, product: int, version: int, **to: object) -> JsonObject:
        """Releases a version: `product_default`, `groups` and `force` as the API has them."""
        return as_object(self.call("PUT", f"/products/{product}/firmware/release", json={"version": version, **to}))

    def impact(self, product: int, version: int, default: bool, groups: Sequence[str]) -> JsonObject:
        """How many devices a release would update: `total` and `by_version`."""
        query = {
            "firmware_version": str(version),
            "product_default": str(default).lower(),
            "groups": ",".join(groups),
        }
        answer = as_object(self.call("GET", f"/products/{product}/impact", params=query))
        return object_in(object_in(answer, "devices"), "firmware_update")

    def change_release(self, product: int, version: int, **changes: str) -> JsonObject:
        """Sets title or description."""
        return as_object(self.call("PUT", f"/products/{product}/firmware/{version}", json=changes))

    def kill_release(self, product: int, version: int) -> JsonObject:
        """Has a version offered to nobody any more; returns what that ended."""
        return object_in(self.call("POST", f"/products/{product}/firmware/{version}/kill"), "killed")

    def revive_release(self, product: int, version: int) -> JsonObject:
        """Lets a killed version be offered again."""
        return as_object(self.call("POST", f"/products/{product}/firmware/{version}/revive"))

    def remove_release(self, product: int, version: int) -> None:
        """Removes a version that no device was ever meant to run."""
        self.call("DELETE", f"/products/{product}/firmware/{version}")

    def releases(self, product: int) -> list[JsonObject]:
        """All releases, newest first."""
        answer = self.call("GET", f"/products/{product}/firmware")
        return [as_object(item) for item in answer] if isinstance(answer, list) else []

    def patches(self, product: int) -> list[JsonObject]:
        """All patches, and how far they are."""
        return objects_in(self.call("GET", f"/products/{product}/patches"), "patches")

    def patch_storage(self, product: int) -> JsonObject:
        """What the patches that are kept take, and what all of the server's may."""
        return object_in(self.call("GET", f"/products/{product}/patches"), "storage")

    def create_rollout(
        self,
        product: int,
        version: int,
        stages: Sequence[Stage],
        name: str = "",
        salt: str | None = None,
        schedule: JsonObject | None = None,
    ) -> JsonObject:
        """Makes a draft. `salt`, 32 hexadecimal digits, spreads the devices over the percentages."""
        body: JsonObject = {"version": version, "name": name, "salt": salt, "schedule": schedule or {}}
        return self.make_rollout(product, {**body, "stages": [stage.to_json() for stage in stages]})

    def make_rollout(self, product: int, body: JsonObject) -> JsonObject:
        """Makes a draft with all that the API takes (docs/howto/rollouts.md)."""
        return object_in(self.call("POST", f"/products/{product}/rollouts", json=body), "rollout")

    def move_rollout(self, product: int, rollout: int, verb: str) -> JsonObject:
        """`verb` is start, cancel, pause, resume or abort."""
        return object_in(self.call("POST", f"/products/{product}/rollouts/{rollout}/{verb}"), "rollout")

    def reschedule(self, product: int, rollout: int, schedule: JsonObject) -> JsonObject:
        """Gives a rollout another schedule; what is left out has its default."""
        path = f"/products/{product}/rollouts/{rollout}/schedule"
        return object_in(self.call("PUT", path, json={"schedule": schedule}), "rollout")

    def roll_back(
        self, product: int, rollout: int, version: int, stages: Sequence[Stage] = (), schedule: JsonObject | None = None
    ) -> JsonObject:
        """Starts a rollout that goes back from another one's version to an earlier one; without stages, at once."""
        body: JsonObject = {
            "version": version,
            "stages": [stage.to_json() for stage in stages],
            "schedule": schedule or {},
        }
        path = f"/products/{product}/rollouts/{rollout}/roll-back"
        return object_in(self.call("POST", path, json=body), "rollout")

    def preview_roll_back(self, product: int, rollout: int, version: int) -> JsonObject:
        """Who could go back, and who could not and why."""
        path = f"/products/{product}/rollouts/{rollout}/roll-back"
        return as_object(self.call("GET", path, params={"version": str(version)}))

    def rollouts(self, product: int) -> list[JsonObject]:
        """All rollouts, newest first."""
        return objects_in(self.call("GET", f"/products/{product}/rollouts"), "rollouts")

    def rollout(self, product: int, rollout: int) -> JsonObject:
        """One rollout: `rollout`, `reasons` and `troubles`."""
        return as_object(self.call("GET", f"/products/{product}/rollouts/{rollout}"))

    def foresee(self, product: int, rollout: int, what: str, query: Mapping[str, str] | None = None) -> JsonObject:
        """`what` is forecast or simulation."""
        return object_in(self.call("GET", f"/products/{product}/rollouts/{rollout}/{what}", params=query), what)

    def cohorts(self, product: int) -> list[JsonObject]:
        """Saved cohorts by name."""
        return objects_in(self.call("GET", f"/products/{product}/cohorts"), "cohorts")

    def cohort(self, product: int, name: str) -> JsonObject:
        """A saved cohort, and the rollouts that will start with it."""
        return object_in(self.call("GET", f"/products/{product}/cohorts/{quote(name, safe='')}"), "cohort")

    def create_cohort(self, product: int, name: str, cohort: JsonObject, description: str = "") -> JsonObject:
        """Saves a cohort by its expression."""
        body = {"name": name, "cohort": cohort, "description": description}
        return object_in(self.call("POST", f"/products/{product}/cohorts", json=body), "cohort")

    def change_cohort(self, product: int, name: str, changes: JsonObject) -> JsonObject:
        """Sets the expression (`cohort`) or the description of a saved cohort."""
        path = f"/products/{product}/cohorts/{quote(name, safe='')}"
        return object_in(self.call("PUT", path, json=changes), "cohort")

    def delete_cohort(self, product: int, name: str) -> None:
        """Removes a saved cohort."""
        self.call("DELETE", f"/products/{product}/cohorts/{quote(name, safe='')}")

    def preview(self, product: int, cohort: JsonObject) -> JsonObject:
        """Which devices an expression holds now."""
        return object_in(self.call("POST", f"/products/{product}/cohorts/preview", json={"cohort": cohort}), "preview")
