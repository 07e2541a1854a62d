"""An update by the runbook: only what passes the gate comes into the settings of a server."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from tests.tiny_run import tiny_recipe, write_corpus
from training.compare import cli
from training.export.assemble import export
from training.train import train

RUNBOOK = Path(__file__).parents[2] / "deploy/README.md"


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run, of the same one again, and of one that saw a tenth of the training."""
    folder = tmp_path_factory.mktemp("promotion")
    write_corpus(folder)
    for name, updates in (("good", 60), ("worse", 4)):
        train(tiny_recipe(folder, **{"training.max_updates": updates}), folder / "runs" / name)
        export(folder / "runs" / name, folder / name, ["fp32"], name=name)
    export(folder / "runs/good", folder / "equal", ["fp32"], name="equal")
    return folder


def update(bundles: Path, candidate: str) -> tuple[Result, str]:
    """The runbook's command with our bundles, and which one the settings name then."""
    settings = bundles / "settings.yaml"
    settings.write_text(yaml.safe_dump({"bundles": [{"path": str(bundles / "good")}]}))
    (command,) = re.findall(r"^seq2serve compare (.*--promote.*)$", RUNBOOK.read_text(), re.M)
    arguments = shlex.split(command)
    models = arguments.index("--promote") + 1
    arguments[models : models + 2] = [str(bundles / "good"), str(bundles / candidate)]
    arguments[arguments.index("--settings") + 1] = str(settings)
    arguments[arguments.index("--json") + 1] = str(bundles / "promotion.json")
    here = ["--split", "validation", "--beam-size", "1"]  # so small a corpus has no test set
    done = CliRunner().invoke(cli.compare, [*arguments, *here], catch_exceptions=False)
    return done, Path(yaml.safe_load(settings.read_text())["bundles"][0]["path"]).name


def test_a_worse_model_is_not_promoted(bundles: Path) -> None:
    done, served = update(bundles, "worse")
    assert done.exit_code == 1
    assert done.output.startswith(f"do not promote {bundles / 'worse'}: it may be worse")
    assert served == "good"


def test_one_that_is_not_worse_takes_the_place_of_the_former(bundles: Path) -> None:
    done, served = update(bundles, "equal")
    assert done.exit_code == 0, done.output
    assert (
        done.output.splitlines()[1] == f"{bundles / 'settings.yaml'} names {bundles / 'equal'} now"
    )
    assert served == "equal"
