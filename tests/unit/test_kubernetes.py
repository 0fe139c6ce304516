"""The manifests in deploy/ are what Kubernetes, KubeRay and Ray's autoscaler take, and the world cannot reach them."""

from __future__ import annotations

import copy
import inspect
import re
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr
from ray.dashboard import http_server_agent, http_server_head

from tests.unit.kuberay_schema import KUBERNETES, validator_of
from tests.unit.manifests import DEPLOY, MANIFESTS, POD_TEMPLATES, RAY_CLUSTERS, REPO, manifest

PLAIN = [m for m in MANIFESTS if m["apiVersion"] != "ray.io/v1"]
KUBERAY = ["RayJob", "RayService"]
RAY_PODS = {path: pod for path, pod in POD_TEMPLATES.items() if path.startswith("Ray")}


def containers() -> list[dict[str, Any]]:
    return [c for pod in POD_TEMPLATES.values() for c in pod["spec"]["containers"]]


def pods_that_match(selector: dict[str, Any]) -> set[str]:
    wanted = selector.get("matchLabels", {}).items()
    return {path for path, pod in POD_TEMPLATES.items() if wanted <= pod["metadata"]["labels"].items()}


def workers(cluster: str) -> dict[str, dict[str, Any]]:
    return {group["groupName"]: group for group in RAY_CLUSTERS[cluster]["workerGroupSpecs"]}


def as_seen_by_the_autoscaler(cluster: str) -> dict[str, Any]:
    """The node types that Ray's own autoscaler makes of a RayCluster."""
    resource = {"metadata": {"name": cluster, "namespace": "dynprof"}, "spec": copy.deepcopy(RAY_CLUSTERS[cluster])}
    return dict(_derive_autoscaling_config_from_ray_cr(resource))


@pytest.mark.parametrize("resource", PLAIN, ids=lambda m: f"{m['kind']}-{m['metadata']['name']}")
def test_plain_resources_fit_the_schemas_of_kubernetes(resource: dict[str, Any]) -> None:
    kubernetes_validate.validate(resource, KUBERNETES, strict=True)


@pytest.mark.parametrize("kind", KUBERAY)
def test_resources_of_kuberay_have_its_fields_and_pods_that_fit_kubernetes(kind: str) -> None:
    validator_of(kind).validate(manifest(kind))


@pytest.mark.parametrize("kind", KUBERAY)
@pytest.mark.parametrize("wrong", ["field", "field of a pod", "type"])
def test_a_wrong_field_would_be_noticed(kind: str, wrong: str) -> None:
    resource = copy.deepcopy(manifest(kind))
    cluster = resource["spec"]["rayClusterSpec" if kind == "RayJob" else "rayClusterConfig"]
    if wrong == "field":
        cluster["workerGroupSpecs"][0]["maxReplica"] = 3
    elif wrong == "field of a pod":
        cluster["headGroupSpec"]["template"]["spec"]["containers"][0]["ressources"] = {}
    else:
        cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] = 0
    with pytest.raises(jsonschema.ValidationError):
        validator_of(kind).validate(resource)


@pytest.mark.parametrize("cluster", RAY_CLUSTERS)
def test_rays_autoscaler_sees_a_head_without_work(cluster: str) -> None:
    config = as_seen_by_the_autoscaler(cluster)
    assert config["available_node_types"][config["head_node_type"]]["resources"]["CPU"] == 0


def test_rays_autoscaler_sees_the_workers_of_the_job() -> None:
    config = as_seen_by_the_autoscaler("job")
    types = {k: v for k, v in config["available_node_types"].items() if k != config["head_node_type"]}
    assert {k: (v["resources"]["CPU"], v["resources"].get("GPU", 0)) for k, v in types.items()} == {
        "cpu": (15, 0),
        "gpu": (7, 1),
    }
    assert all(node["min_workers"] == 0 < node["max_workers"] for node in types.values())
    assert config["idle_timeout_minutes"] == 10


@pytest.mark.parametrize("cluster", RAY_CLUSTERS)
def test_the_second_autoscaler_runs_and_its_pods_are_replaced_not_restarted(cluster: str) -> None:
    spec = RAY_CLUSTERS[cluster]
    assert spec["enableInTreeAutoscaling"]
    assert spec["autoscalerOptions"]["version"] == "v2"
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    assert all(group["template"]["spec"]["restartPolicy"] == "Never" for group in groups)


@pytest.mark.parametrize("cluster", RAY_CLUSTERS)
def test_a_token_is_asked_for_and_the_version_of_ray_is_the_pinned_one(cluster: str) -> None:
    spec = RAY_CLUSTERS[cluster]
    assert spec["authOptions"]["mode"] == "token"
    assert f"\nray=={spec['rayVersion']}\n" in (REPO / "constraints.txt").read_text(encoding="utf-8")


def test_nothing_is_exposed_beyond_the_cluster() -> None:
    assert {m["kind"] for m in MANIFESTS}.isdisjoint({"Ingress", "Gateway", "HTTPRoute"})
    assert all(m["spec"].get("type", "ClusterIP") == "ClusterIP" for m in MANIFESTS if m["kind"] == "Service")
    for spec in RAY_CLUSTERS.values():
        assert spec["headGroupSpec"]["serviceType"] == "ClusterIP"
        assert not spec["headGroupSpec"].get("enableIngress")
    for pod in POD_TEMPLATES.values():
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod["spec"])
        assert not [p for c in pod["spec"]["containers"] for p in c.get("ports", []) if "hostPort" in p]


def test_traffic_is_denied_to_every_pod_and_let_in_by_name() -> None:
    policies = [m["spec"] for m in MANIFESTS if m["kind"] == "NetworkPolicy"]
    (closed,) = [p for p in policies if p["podSelector"] == {}]
    assert closed == {"podSelector": {}, "policyTypes": ["Ingress"]}
    for policy in policies:
        for rule in policy.get("ingress", []):
            assert rule["from"]
            assert all(peer for peer in rule["from"])
            assert not [peer for peer in rule["from"] if "ipBlock" in peer]


def test_every_port_that_a_policy_opens_is_one_that_its_pods_have() -> None:
    for policy in (m["spec"] for m in MANIFESTS if m["kind"] == "NetworkPolicy"):
        pods = [POD_TEMPLATES[path] for path in pods_that_match(policy["podSelector"])]
        ports = {p["containerPort"] for pod in pods for c in pod["spec"]["containers"] for p in c.get("ports", [])}
        assert {port["port"] for rule in policy.get("ingress", []) for port in rule.get("ports", [])} <= ports


def test_every_selector_finds_pods() -> None:
    selectors = [m["spec"][key] for m in MANIFESTS for key in ("podSelector", "selector") if key in m.get("spec", {})]
    assert len(selectors) >= 6
    for selector in selectors:
        assert pods_that_match(selector if "matchLabels" in selector or not selector else {"matchLabels": selector})


def test_a_drained_node_waits_for_a_driver_and_takes_replicas_one_by_one() -> None:
    budgets = {m["metadata"]["name"]: m["spec"] for m in MANIFESTS if m["kind"] == "PodDisruptionBudget"}
    head = budgets["head-of-a-job"]
    assert head["maxUnavailable"] == 0
    assert pods_that_match(head["selector"]) == {"RayJob.spec.rayClusterSpec.headGroupSpec.template"}
    assert budgets["service"]["maxUnavailable"] == 1
    assert workers("service")["replicas"]["minReplicas"] > 1


def test_workers_of_the_job_run_on_spot_nodes_and_nothing_else_does() -> None:
    tolerant = {
        path
        for path, pod in RAY_PODS.items()
        if "dynprof/spot" in {t["key"] for t in pod["spec"].get("tolerations", [])}
    }
    groups = len(RAY_CLUSTERS["job"]["workerGroupSpecs"])
    assert tolerant == {f"RayJob.spec.rayClusterSpec.workerGroupSpecs[{i}].template" for i in range(groups)}
    assert all(
        w["template"]["spec"]["nodeSelector"]["dynprof/pool"].startswith("spot") for w in workers("job").values()
    )


def test_every_container_is_confined_and_says_what_it_needs() -> None:
    for pod in POD_TEMPLATES.values():
        assert pod["spec"]["securityContext"]["runAsNonRoot"]
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers():
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]


def test_the_object_store_leaves_most_of_a_pods_memory_to_its_workers() -> None:
    for spec in RAY_CLUSTERS.values():
        for group in [spec["headGroupSpec"], *spec["workerGroupSpecs"]]:
            memory = group["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]
            store_bytes = int(group["rayStartParams"]["object-store-memory"])
            assert 0 < store_bytes <= 0.21 * int(memory.removesuffix("Gi")) * 2**30


def test_only_the_head_has_an_account_that_may_ask_kubernetes() -> None:
    accounts = {m["metadata"]["name"]: m for m in MANIFESTS if m["kind"] == "ServiceAccount"}
    for path, pod in POD_TEMPLATES.items():
        name = pod["spec"]["serviceAccountName"]
        assert name in accounts
        assert (name == "dynprof-head") == ("headGroupSpec" in path)
    assert accounts["dynprof-worker"]["automountServiceAccountToken"] is False


def test_secrets_are_named_and_none_is_in_the_repository() -> None:
    assert "Secret" not in {m["kind"] for m in MANIFESTS}
    text = "".join(path.read_text(encoding="utf-8") for path in DEPLOY.glob("*.yaml"))
    named = set(re.findall(r"secret(?:KeyRef|Ref): \{name: ([\w-]+)", text))
    assert named == {"dynprof-s3", "dynprof-redis", "dynprof-tokens"}
    page = (REPO / "docs" / "operations.md").read_text(encoding="utf-8")
    assert [name for name in named if f"create secret generic {name}" not in page] == []


def test_the_head_of_the_service_survives_in_redis() -> None:
    options = RAY_CLUSTERS["service"]["gcsFaultToleranceOptions"]
    (service,) = [m for m in MANIFESTS if m["kind"] == "Service"]
    assert options["redisAddress"] == f"{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    (password,) = [e for c in containers() for e in c.get("env", []) if e["name"] == "REDIS_PASSWORD"]
    assert options["redisPassword"]["valueFrom"] == password["valueFrom"]


@pytest.mark.parametrize("path", RAY_PODS)
def test_probes_ask_what_ray_answers_without_a_token(path: str) -> None:
    if "submitterPodTemplate" in path:
        return
    container = RAY_PODS[path]["spec"]["containers"][0]
    server = http_server_head if "headGroupSpec" in path else http_server_agent
    (listed,) = re.findall(r"(?i)public_exact_paths = [\[{](.*?)[\]}]", inspect.getsource(server), re.DOTALL)
    public = set(re.findall(r'"(/api/\w+)"', listed))
    for name in ("readinessProbe", "livenessProbe"):
        probe = container[name]
        asked = re.findall(r"/api/\w+", str(probe))
        assert asked
        assert set(asked) <= public
        port = probe.get("httpGet", {}).get("port")
        assert port is None or port in {p["name"] for p in container["ports"]}


def test_every_value_to_be_replaced_is_explained() -> None:
    text = "".join(re.sub(r"#.*", "", path.read_text(encoding="utf-8")) for path in DEPLOY.glob("*.yaml"))
    page = (REPO / "docs" / "operations.md").read_text(encoding="utf-8")
    assert "REGISTRY/" in text
    assert "s3://BUCKET/" in text
    assert "| `REGISTRY` |" in page
    assert "| `BUCKET` |" in page
