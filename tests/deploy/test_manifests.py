"""Compose file, image recipe, Kubernetes manifests and systemd units, against their schemas and our own rules."""

import configparser
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from compose_spec import PyCompose

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = "1.31"


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(interpolated())
    return document


def interpolated() -> str:
    """The file as compose reads it where no variable is set."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    return re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", text)


def repeated_keys(node: yaml.Node | None) -> list[str]:
    """Keys that one mapping has twice: PyYAML takes the last, compose and kubectl refuse the file."""
    if isinstance(node, yaml.MappingNode):
        keys = Counter(str(key.value) for key, _ in node.value)
        parts = [value for _, value in node.value]
    else:
        keys, parts = Counter(), node.value if isinstance(node, yaml.SequenceNode) else []
    return [key for key, count in keys.items() if count > 1] + [key for part in parts for key in repeated_keys(part)]


def test_no_file_names_a_key_twice() -> None:
    files = [ROOT / "docker-compose.yml", *DEPLOY.rglob("*.yml"), *DEPLOY.rglob("*.yaml")]
    assert len(files) > 15
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert [key for document in yaml.compose_all(text) for key in repeated_keys(document)] == [], path


def test_compose_follows_the_specification() -> None:
    PyCompose.from_yaml(yaml.safe_dump(compose()))


def test_compose_publishes_on_loopback_only_limits_every_service_and_gains_no_rights() -> None:
    services = compose()["services"]
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert all(port.startswith("127.0.0.1:") for published in ports.values() for port in published)
    assert ports.keys() == {"coordinator-1", "discord", "grafana"}
    for name, service in services.items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["logging"]["options"]["max-size"], name
        if name != "migrate":
            limits = service["deploy"]["resources"]["limits"]
            assert {"cpus", "memory"} <= limits.keys(), name
            assert service["restart"] == "unless-stopped", name
        if service["image"].startswith("markov-shard"):
            assert service["read_only"], name
            assert service["cap_drop"] == ["ALL"], name


def test_composes_profiles_and_redis_policy() -> None:
    services = compose()["services"]
    profiles = {name: service.get("profiles") for name, service in services.items() if service.get("profiles")}
    assert profiles == {
        "discord": ["demo"],
        "proxy": ["proxy"],
        "prometheus": ["monitoring"],
        "grafana": ["monitoring"],
    }
    redis = " ".join(services["redis"]["command"])
    assert "--maxmemory-policy volatile-lru" in redis
    assert "--appendonly yes" in redis


def test_hadolint_accepts_the_image_recipe() -> None:
    hadolint = shutil.which("hadolint") or str(Path(sys.executable).with_name("hadolint"))
    done = subprocess.run(
        [hadolint, str(DEPLOY / "Dockerfile")], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def manifests(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document]


def base() -> list[dict[str, Any]]:
    kustomization = yaml.safe_load((DEPLOY / "kubernetes" / "base" / "kustomization.yaml").read_text(encoding="utf-8"))
    files = [DEPLOY / "kubernetes" / "base" / name for name in kustomization["resources"]]
    files.append(DEPLOY / "kubernetes" / "components" / "worker-autoscaling" / "autoscaler.yaml")
    return [document for file in files for document in manifests(file.read_text(encoding="utf-8"))]


def check_pods(documents: list[dict[str, Any]]) -> None:
    """What every workload must have, whatever an overlay changes."""
    workloads = [document for document in documents if document["kind"] in ("Deployment", "StatefulSet")]
    assert len(workloads) == 3
    for workload in workloads:
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] == 10001
        assert not pod["automountServiceAccountToken"]
        assert len(pod["topologySpreadConstraints"]) == 2
        for container in [*pod["initContainers"], *pod["containers"]]:
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]
        (container,) = pod["containers"]
        paths = {
            probe: container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        }
        assert paths == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    budgets = [d["spec"]["selector"]["matchLabels"] for d in documents if d["kind"] == "PodDisruptionBudget"]
    for workload in workloads:
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert any(selector.items() <= labels.items() for selector in budgets)
        assert workload["spec"]["selector"]["matchLabels"].items() <= labels.items()
    policies = [document for document in documents if document["kind"] == "NetworkPolicy"]
    assert any(policy["spec"]["policyTypes"] == ["Ingress", "Egress"] for policy in policies)


def test_kubernetes_manifests_follow_their_schemas() -> None:
    for document in base():
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    check_pods(base())


@pytest.mark.long
@pytest.mark.parametrize("overlay", ["small", "large"])
def test_overlays_render_to_valid_manifests(overlay: str) -> None:
    kubectl = shutil.which("kubectl")
    assert kubectl, "kubectl is not installed: tests/install-outside installs it"
    folder = str(DEPLOY / "kubernetes" / "overlays" / overlay)
    done = subprocess.run([kubectl, "kustomize", folder], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    documents = manifests(done.stdout)
    for document in documents:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
        assert document["metadata"]["namespace"] == "markov-shard"
    check_pods(documents)
    (shards,) = [document for document in documents if document["kind"] == "StatefulSet"]
    assert shards["spec"]["replicas"] == {"small": 2, "large": 16}[overlay]
    assert any(d["kind"] == "HorizontalPodAutoscaler" for d in documents) is (overlay == "large")


def units() -> list[Path]:
    return sorted((DEPLOY / "systemd").glob("*.service"))


@pytest.mark.parametrize("path", units(), ids=lambda path: path.stem)
def test_systemd_units_drain_restart_and_are_locked_down(path: Path) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(path.read_text(encoding="utf-8"))
    service = unit["Service"]
    assert re.fullmatch(r"/opt/markov-shard/bin/markov-shard \w+", service["ExecStart"])
    assert (service["ProtectSystem"], service["NoNewPrivileges"], service["UMask"]) == ("strict", "yes", "0077")
    if service["Type"] != "oneshot":
        assert service["Restart"] == "always"
        assert int(service["TimeoutStopSec"]) >= 30


@pytest.mark.long
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd here")
    for path in (DEPLOY / "systemd").iterdir():
        text = path.read_text(encoding="utf-8").replace("/opt/markov-shard/bin/markov-shard", "/bin/true")
        (tmp_path / path.name.replace("@.", "@1.")).write_text(text, encoding="utf-8")
    names = [str(path) for path in sorted(tmp_path.glob("*.service"))]
    environment = {"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [analyze, "verify", "--man=no", *names],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert (done.returncode, done.stderr) == (0, "")
