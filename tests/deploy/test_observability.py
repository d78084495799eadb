"""Rules, dashboard and documents speak of metrics that exist, and every alert has its paragraph and its test."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "fleet.json"
_REGISTERED = re.compile(r'(?:gauges?|totals?|info|seconds|stages)\(\s*"(markov_[a-z_]+)"')
_SUFFIXES = ("_total", "_bucket", "_sum", "_count", "_info")


def registered() -> set[str]:
    """Every metric the code registers."""
    files = [path for package in ("markov_shard", "coordinator") for path in (ROOT / package).rglob("*.py")]
    return {name for path in files for name in _REGISTERED.findall(path.read_text(encoding="utf-8"))}


def base_names(text: str) -> set[str]:
    """Metrics named in a text, as they are registered; recorded ones (with colons) left out."""
    names = set(re.findall(r"(?<![\w:])markov_[a-z_0-9]+(?![\w:])", text))
    known = registered()
    return {next((n.removesuffix(s) for s in _SUFFIXES if n.removesuffix(s) in known), n) for n in names}


def groups(name: str) -> list[dict[str, Any]]:
    document = yaml.safe_load((RULES / name).read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return shown + [rule["expr"] for name in ("alerts.yml", "recording.yml") for rule in groups(name)]


def test_rules_and_dashboard_ask_for_metrics_that_exist() -> None:
    known, recorded = registered(), {rule["record"] for rule in groups("recording.yml")}
    assert len(known) > 40
    for expression in expressions():
        assert base_names(expression) <= known, expression
        assert set(re.findall(r"markov:[\w:]+", expression)) <= recorded, expression


def test_the_documents_table_is_complete_and_true() -> None:
    rows = [
        line for line in (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8").splitlines() if line[:2] == "| "
    ]
    documented = {name for row in rows for name in re.findall(r"`(markov_[a-z_]+)`", row.split("|")[1])}
    assert documented == registered()


def test_every_alert_has_a_paragraph_a_test_and_a_severity() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    tested = {
        test["name"] for test in yaml.safe_load((RULES.parent / "tests" / "alerts.yml").read_text("utf-8"))["tests"]
    }
    alerts = groups("alerts.yml")
    faults = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "fleet").glob("test_alerts*.py"))
    paragraphs = re.findall(r"^### (Markov\w+)\n\S", runbook, re.MULTILINE)
    assert [alert["alert"] for alert in alerts] == paragraphs
    for alert in alerts:
        assert alert["alert"] in tested
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert f'"{alert["alert"]}"' in faults, "its fault is to be made in a running fleet"
        assert alert["annotations"]["runbook"] == f"docs/runbook.md#{alert['alert'].lower()}"
        assert {"summary", "description"} <= alert["annotations"].keys()


def test_the_dashboard_answers_in_order() -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    rows = [panel["title"] for panel in dashboard["panels"] if panel["type"] == "row"]
    assert rows == ["Is it serving?", "Is it fast?", "Is it learning?", "What is wrong?"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.long
def test_promtool_accepts_the_rules_and_every_alert_fires_and_clears() -> None:
    promtool = shutil.which("promtool")
    assert promtool, "promtool is not installed: tests/install-outside installs it"
    folder = RULES.parent
    for arguments in (
        ["check", "config", "--syntax-only", str(folder / "prometheus.yml")],
        ["check", "rules", "--lint-fatal", *map(str, RULES.glob("*.yml"))],
        ["test", "rules", str(folder / "tests" / "alerts.yml")],
    ):
        done = subprocess.run([promtool, *arguments], check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
