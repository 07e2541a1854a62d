"""The files of deploy/ fit the programs that read them."""

import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from mt.errors import ConfigError
from serving.settings import ServeSettings, load

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="module")
def replica() -> ModuleType:
    """The module that imports Ray, whose own deprecations are not our business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from serving import replica
    return replica


def test_the_example_settings_load() -> None:
    settings = load(DEPLOY / "settings.yaml")
    assert settings.host == "127.0.0.1"
    assert settings.limits.deadline_s is not None
    assert settings.drain_timeout_s > settings.limits.deadline_s


def test_the_readme_names_every_setting() -> None:
    text = (DEPLOY / "README.md").read_text()
    missing = [key for key in _keys(ServeSettings.model_json_schema()) if f"{key}`" not in text]
    assert missing == []


def test_the_ray_configuration_is_valid_and_closed_to_the_world(replica: ModuleType) -> None:
    from ray.serve.schema import ServeDeploySchema

    values = yaml.safe_load((DEPLOY / "serve.yaml").read_text())
    checked = ServeDeploySchema.model_validate(values)
    (application,) = checked.applications
    assert checked.http_options.host == "127.0.0.1"
    assert application.import_path == f"{replica.__name__}:{replica.build.__name__}"
    arguments = replica.Arguments.model_validate(application.args)
    assert arguments.settings is not None
    assert (DEPLOY.parent / arguments.settings).is_file()


def test_build_reads_the_named_settings(
    replica: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(replica.SETTINGS_VARIABLE, raising=False)
    with pytest.raises(ConfigError, match="name a settings file"):
        replica.build(replica.Arguments())
    monkeypatch.setenv(replica.SETTINGS_VARIABLE, str(DEPLOY / "settings.yaml"))
    (deployment,) = [replica.build(replica.Arguments())._bound_deployment]
    assert deployment.num_replicas == 1
    assert deployment.max_ongoing_requests > 256
    assert deployment.ray_actor_options["num_cpus"] == 2


def _keys(schema: dict[str, Any]) -> list[str]:
    """Keys of the settings and of their sections, but for the sections' and the search's own."""
    names = ("EngineSettings", "Limits", "BundleSettings")
    parts = [schema, *(schema["$defs"][name] for name in names)]
    keys = [key for part in parts for key in part["properties"]]
    return [key for key in keys if key not in ("bundles", "limits")]
