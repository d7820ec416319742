# SPDX-License-Identifier: Apache-2.0
"""The examples for Prometheus and Grafana name what the server exposes, with labels that it has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.ota_server.observe.test_metrics import documented

DEPLOY = Path(__file__).parents[3] / "deploy"
NAME = re.compile(r"\b((?:muster|process)_[a-z_]+)(?:\{([^}]*)\})?")
PARTS = ("_bucket", "_sum", "_count")
"""Series of a histogram."""
OF_PROMETHEUS = frozenset({"job", "instance"})
"""Labels that Prometheus adds."""


def of_dashboard() -> list[str]:
    dashboard = json.loads((DEPLOY / "grafana" / "muster.json").read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]


def of_alerts() -> list[str]:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def names_in(expression: str) -> dict[str, set[str]]:
    """The metrics of an expression with the labels that it asks of them."""
    known = documented()
    found: dict[str, set[str]] = {}
    for name, asked in NAME.findall(expression):
        base = next((name.removesuffix(part) for part in PARTS if name.removesuffix(part) in known), name)
        found.setdefault(base, set()).update(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", asked))
    return found


@pytest.mark.parametrize("expression", [*of_dashboard(), *of_alerts()])
def test_expressions_name_metrics_and_labels_that_there_are(expression: str) -> None:
    assert expression.count("(") == expression.count(")")
    known = documented()
    names = names_in(expression) or {"up": set()}
    for name, labels in names.items():
        if name == "up":
            continue
        kind, has = known[name]
        assert labels <= has | OF_PROMETHEUS, name
        assert f"{name}_bucket" not in expression or kind == "histogram"
    grouped = {label.strip() for part in re.findall(r"(?:by|on) \(([^)]*)\)", expression) for label in part.split(",")}
    labels_of_all = {label for name in names if name in known for label in known[name][1]}
    assert grouped <= labels_of_all | OF_PROMETHEUS | {"le"}


def test_dashboard_shows_every_metric_of_the_server() -> None:
    shown = {name for expression in of_dashboard() for name in names_in(expression)}
    assert {name for name in documented() if name.startswith("muster_")} <= shown


def test_panels_do_not_lie_on_each_other() -> None:
    panels = json.loads((DEPLOY / "grafana" / "muster.json").read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_prometheus_is_told_where_the_alerts_are() -> None:
    configured = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    assert all((DEPLOY / "prometheus" / name).is_file() for name in configured["rule_files"])
    assert configured["scrape_configs"][0]["job_name"] == "muster"
