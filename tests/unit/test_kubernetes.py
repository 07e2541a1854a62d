"""The manifests of deploy/kubernetes: rendered, valid, closed to the world, and of one mind."""

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import kubernetes_validate
import pytest
import yaml

from serving.settings import ServeSettings, load

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
SERVING = ("base", "overlays/gpu")
EVERYTHING = (*SERVING, "training")
KUBERNETES = "1.34"
Resource = dict[str, Any]

RAY_FIELDS = {  # of KubeRay 1.5's API, as far as we use it
    "RayService": {
        *("upgradeStrategy", "rayClusterDeletionDelaySeconds", "excludeHeadPodFromServeSvc"),
        *("serveService", "serveConfigV2", "rayClusterConfig"),
    },
    "RayJob": {
        *("entrypoint", "entrypointNumCpus", "submissionMode", "backoffLimit"),
        *("shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "rayClusterSpec"),
    },
    "cluster": {
        *("rayVersion", "enableInTreeAutoscaling", "autoscalerOptions", "authOptions"),
        *("gcsFaultToleranceOptions", "headGroupSpec", "workerGroupSpecs"),
    },
    "head": {"rayStartParams", "template"},
    "worker": {
        *("groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"),
    },
}


def renderer() -> list[str] | None:
    for program, *verb in (["kustomize", "build"], ["kubectl", "kustomize"]):
        if shutil.which(program):
            return [program, *verb]
    return None


pytestmark = pytest.mark.skipif(
    renderer() is None, reason="neither kustomize nor kubectl is here to render the manifests"
)


@cache
def rendered(name: str) -> tuple[Resource, ...]:
    done = subprocess.run(
        [*(renderer() or []), str(FOLDER / name)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "KUBECONFIG": "/dev/null", "HOME": "/tmp"},
    )
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def one(name: str, kind: str) -> Resource:
    (found,) = [resource for resource in rendered(name) if resource["kind"] == kind]
    return found


def cluster(name: str) -> Resource:
    if name == "training":
        spec: Resource = one(name, "RayJob")["spec"]["rayClusterSpec"]
    else:
        spec = one(name, "RayService")["spec"]["rayClusterConfig"]
    return spec


def groups(name: str) -> list[Resource]:
    spec = cluster(name)
    return [spec["headGroupSpec"], *spec["workerGroupSpecs"]]


def pods(name: str) -> Iterator[Resource]:
    """The specs of all pods, Ray's and others."""
    for group in groups(name):
        yield group["template"]["spec"]
    for resource in rendered(name):
        if resource["kind"] == "StatefulSet":
            yield resource["spec"]["template"]["spec"]


def containers(name: str) -> Iterator[Resource]:
    for pod in pods(name):
        yield from (*pod["containers"], *pod.get("initContainers", ()))


def settings_of(name: str, tmp_path: Path) -> ServeSettings:
    file = tmp_path / "settings.yaml"
    file.write_text(one(name, "ConfigMap")["data"]["settings.yaml"])
    return load(file)


def worker(name: str) -> Resource:
    (group,) = cluster(name)["workerGroupSpecs"]
    found: Resource = group
    return found


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_resource_is_one_that_kubernetes_takes(name: str) -> None:
    for resource in rendered(name):
        if not resource["apiVersion"].startswith("ray.io/"):
            kubernetes_validate.validate(resource, KUBERNETES, strict=True)
    for group in groups(name):
        pod = {"apiVersion": "v1", "kind": "Pod", **group["template"]}
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def test_the_check_itself_finds_a_misspelt_field() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [], "hostNetwerk": True}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)


@pytest.mark.parametrize("name", EVERYTHING)
def test_ray_resources_use_fields_that_exist(name: str) -> None:
    ray = [one for one in rendered(name) if one["apiVersion"] == "ray.io/v1"]
    assert len(ray) == 1
    assert ray[0]["spec"].keys() <= RAY_FIELDS[ray[0]["kind"]]
    assert cluster(name).keys() <= RAY_FIELDS["cluster"]
    assert cluster(name)["headGroupSpec"].keys() <= RAY_FIELDS["head"]
    assert worker(name).keys() <= RAY_FIELDS["worker"]
    if service := ray[0]["spec"].get("serveService"):
        full = {"apiVersion": "v1", "kind": "Service", **service}
        kubernetes_validate.validate(full, KUBERNETES, strict=True)


@pytest.mark.parametrize("name", SERVING)
def test_the_serve_configuration_fits_ray_and_us(
    name: str, replica: ModuleType, tmp_path: Path
) -> None:
    from ray.serve.schema import ServeDeploySchema

    values = yaml.safe_load(one(name, "RayService")["spec"]["serveConfigV2"])
    (application,) = ServeDeploySchema.model_validate(values).applications
    assert application.import_path == f"{replica.__name__}:{replica.build.__name__}"
    arguments = replica.Arguments.model_validate(application.args)
    mounts = [mount["mountPath"] for mount in worker_container(name)["volumeMounts"]]
    assert str(arguments.settings.parent) in mounts
    settings = settings_of(name, tmp_path)
    (deployment,) = application.deployments
    assert deployment.name == replica.application(settings)._bound_deployment.name
    assert values["http_options"]["request_timeout_s"] > (settings.limits.deadline_s or 0)
    for path in (settings.data_dir, *(str(Path(b.path).parent) for b in settings.bundles)):
        assert path in mounts
    assert float(worker(name)["rayStartParams"]["num-cpus"]) >= replica._cpus(settings)
    assert int(worker_container(name)["resources"]["limits"].get("nvidia.com/gpu", 0)) == (
        replica._gpus(settings)
    )
    limits = values["applications"][0]["deployments"][0]["autoscaling_config"]
    assert limits["min_replicas"] == worker(name)["minReplicas"]
    assert limits["max_replicas"] == worker(name)["maxReplicas"]


def worker_container(name: str) -> Resource:
    found: Resource = worker(name)["template"]["spec"]["containers"][0]
    return found


@pytest.mark.parametrize("name", EVERYTHING)
def test_nobody_is_root_and_nothing_is_written_outside_the_volumes(name: str) -> None:
    for pod in pods(name):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    for container in containers(name):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert not any("hostPort" in port for port in container.get("ports", ()))


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_image_has_an_exact_tag(name: str) -> None:
    for container in containers(name):
        _, colon, tag = container["image"].rpartition(":")
        assert colon, container["image"]
        assert any(digit.isdigit() for digit in tag)


@pytest.mark.parametrize("name", SERVING)
def test_no_service_shows_more_than_the_one_port(name: str) -> None:
    services = [resource for resource in rendered(name) if resource["kind"] == "Service"]
    services.append(one(name, "RayService")["spec"]["serveService"])
    ports = {}
    for service in services:
        assert service["spec"].get("type", "ClusterIP") == "ClusterIP"
        ports[service["metadata"]["name"]] = [port["port"] for port in service["spec"]["ports"]]
    assert ports == {"seq2serve": [8000], "seq2serve-redis": [6379]}
    assert "serviceType" not in cluster(name)["headGroupSpec"]


@pytest.mark.parametrize("name", SERVING)
def test_other_namespaces_reach_the_requests_port_only(name: str) -> None:
    reached: dict[str, set[int]] = {}
    policies = [one for one in rendered(name) if one["kind"] == "NetworkPolicy"]
    for policy in policies:
        for rule in policy["spec"].get("ingress", ()):
            if any("namespaceSelector" in peer for peer in rule["from"]):
                ports = reached.setdefault(policy["metadata"]["name"], set())
                ports |= {port["port"] for port in rule["ports"]}
    assert reached == {"seq2serve-requests": {8000}, "seq2serve-head": {8265}}  # the operator's
    (closed,) = [one for one in policies if one["spec"]["podSelector"] == {}]
    assert closed["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert not closed["spec"].keys() & {"ingress", "egress"}


@pytest.mark.parametrize("name", SERVING)
def test_what_selects_finds_the_pods(name: str) -> None:
    labels = [group["template"]["metadata"]["labels"] for group in groups(name)]
    labels.append(one(name, "StatefulSet")["spec"]["template"]["metadata"]["labels"])
    components = {found["app.kubernetes.io/component"] for found in labels}
    assert components == {"head", "worker", "redis"}
    budget = one(name, "PodDisruptionBudget")["spec"]
    assert budget["selector"]["matchLabels"] == {"app.kubernetes.io/component": "worker"}
    assert budget["maxUnavailable"] < worker(name)["minReplicas"]


@pytest.mark.parametrize("name", SERVING)
def test_a_worker_has_time_to_finish(name: str, tmp_path: Path) -> None:
    settings = settings_of(name, tmp_path)
    pod = worker(name)["template"]["spec"]
    ((_, pause),) = [one["lifecycle"]["preStop"]["exec"]["command"] for one in pod["containers"]]
    assert float(pause) > (settings.limits.deadline_s or 0)
    values = yaml.safe_load(one(name, "RayService")["spec"]["serveConfigV2"])
    graceful = values["applications"][0]["deployments"][0]["graceful_shutdown_timeout_s"]
    assert graceful >= settings.drain_timeout_s
    assert pod["terminationGracePeriodSeconds"] > float(pause) + graceful


@pytest.mark.parametrize("name", EVERYTHING)
def test_what_somebody_must_make_first_is_in_the_runbook(name: str) -> None:
    runbook = (FOLDER.parent / "README.md").read_text()
    text = "\n".join(map(str, rendered(name)))
    for needed in ("seq2serve-models", "seq2serve-runs", "seq2serve-keys", "seq2serve-redis"):
        if needed in text:
            assert needed in runbook
    assert f"deploy/kubernetes/{name}" in runbook
