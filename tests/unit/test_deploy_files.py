"""The files of deploy/ fit the programs that read them."""

import configparser
import shlex
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import yaml

from mt.cli import cli
from serving.settings import ServeSettings, load

DEPLOY = Path(__file__).parents[2] / "deploy"


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


def test_the_unit_runs_a_command_that_exists_and_gives_it_time_to_drain() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.read(DEPLOY / "seq2serve.service")
    service = unit["Service"]
    program, verb, *words = shlex.split(service["ExecStart"])
    assert program == "/opt/seq2serve/bin/seq2serve"
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    assert Path(words[-1]) in command.make_context(verb, words).params.values()
    assert int(service["TimeoutStopSec"]) > load(DEPLOY / "settings.yaml").drain_timeout_s
    assert service["User"] == "seq2serve"


def _keys(schema: dict[str, Any]) -> list[str]:
    """Keys of the settings and of their sections, but for the sections' and the search's own."""
    names = (
        *("EngineSettings", "Limits", "BundleSettings", "DocumentSettings"),
        *("KeySettings", "Allowance", "MemorySettings", "TraceSettings"),
    )
    parts = [schema, *(schema["$defs"][name] for name in names)]
    keys = [key for part in parts for key in part["properties"]]
    sections = ("bundles", "limits", "documents", "keys", "anonymous", "memory", "trace")
    return [key for key in keys if key not in sections]
