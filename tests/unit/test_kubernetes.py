"""The manifests of deploy/kubernetes: rendered, valid, closed to the world, and of one mind."""

import copy
import functools
import operator
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import jsonschema
import kubernetes_validate
import pytest
import yaml

from mt.cli import cli
from serving.settings import ServeSettings, load
from training.recipe import read_recipe

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
SERVING = ("base", "overlays/gpu")
EVERYTHING = (*SERVING, "training")
KUBERNETES = "1.34"
Resource = dict[str, Any]


def exactly(required: str = "", **properties: Any) -> Resource:
    """The JSON schema of an object that has these properties and no others."""
    known = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**known, "required": required.split()}


OBJECT, STRING, FLAG = {"type": "object"}, {"type": "string", "minLength": 1}, {"type": "boolean"}
COUNT = {"type": "integer", "minimum": 0}
START = {"type": "object", "additionalProperties": STRING}  # Ray's own flags, all of them strings
SECRET = exactly("valueFrom", valueFrom=exactly("secretKeyRef", secretKeyRef=OBJECT))
CLUSTER = exactly(
    "rayVersion headGroupSpec workerGroupSpecs",
    rayVersion=STRING,
    enableInTreeAutoscaling=FLAG,
    autoscalerOptions=exactly(idleTimeoutSeconds=COUNT, securityContext=OBJECT, resources=OBJECT),
    authOptions=exactly("mode", mode={"enum": ["disabled", "token"]}, secretName=STRING),
    gcsFaultToleranceOptions=exactly("redisAddress", redisAddress=STRING, redisPassword=SECRET),
    headGroupSpec=exactly("rayStartParams template", rayStartParams=START, template=OBJECT),
    workerGroupSpecs={
        "type": "array",
        "items": exactly(
            "groupName minReplicas maxReplicas rayStartParams template",
            groupName=STRING,
            replicas=COUNT,
            minReplicas=COUNT,
            maxReplicas=COUNT,
            rayStartParams=START,
            template=OBJECT,
        ),
    },
)
STRATEGIES = ["NewCluster", "None", "NewClusterWithIncrementalUpgrade"]
RAY_SPECS = {  # of KubeRay 1.5's API reference, as far as we use it: no package carries its CRDs
    "RayService": exactly(
        "serveConfigV2 rayClusterConfig",
        upgradeStrategy=exactly(type={"enum": STRATEGIES}),
        rayClusterDeletionDelaySeconds=COUNT,
        excludeHeadPodFromServeSvc=FLAG,
        serveService=OBJECT,
        serveConfigV2=STRING,
        rayClusterConfig=CLUSTER,
    ),
    "RayJob": exactly(
        "entrypoint rayClusterSpec",
        entrypoint=STRING,
        entrypointNumCpus={"type": "number", "minimum": 0},
        submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
        backoffLimit=COUNT,
        shutdownAfterJobFinishes=FLAG,
        ttlSecondsAfterFinished=COUNT,
        rayClusterSpec=CLUSTER,
    ),
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
def test_ray_resources_are_as_kuberay_documents_them(name: str) -> None:
    ray = [one for one in rendered(name) if one["apiVersion"] == "ray.io/v1"]
    assert len(ray) == 1
    jsonschema.validate(ray[0]["spec"], RAY_SPECS[ray[0]["kind"]])
    if service := ray[0]["spec"].get("serveService"):
        full = {"apiVersion": "v1", "kind": "Service", **service}
        kubernetes_validate.validate(full, KUBERNETES, strict=True)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("backoffLimit", "3"),
        ("rayClusterSpec.headGroupSpec.rayStartParams.num-cpus", 0),
        ("rayClusterSpec.authOptions.mode", "tokens"),
        ("rayClusterSpec.enableAutoscaling", True),
    ],
)
def test_a_field_or_value_that_kuberay_does_not_know_is_found(path: str, value: object) -> None:
    spec = copy.deepcopy(one("training", "RayJob")["spec"])
    *parents, last = path.split(".")
    functools.reduce(operator.getitem, parents, spec)[last] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(spec, RAY_SPECS["RayJob"])


def test_the_training_job_is_a_command_that_the_cluster_has_room_for() -> None:
    job = one("training", "RayJob")["spec"]
    _, _, script = shlex.split(job["entrypoint"])
    for part in script.split("&&"):
        _, verb, *words = shlex.split(part)
        command = cli.get_command(click.Context(cli), verb)
        assert command is not None
        given = command.make_context(verb, words).params
        if verb == "train":
            load_named = read_recipe(given["recipe"], given["overrides"])
            wanted = given["workers"] * (load_named.training.threads or 1)
            assert given["ray"] == "auto"
    cores = sum(
        group["replicas"] * int(group["rayStartParams"]["num-cpus"])
        for group in job["rayClusterSpec"]["workerGroupSpecs"]
    )
    assert wanted + job["entrypointNumCpus"] <= cores


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
