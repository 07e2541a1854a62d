"""Two systems, two seeds: from recipes to comparison.json, through the command line as well."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from mt.errors import ConfigError
from tests.tiny_comparison import HereOnly, plan_values, tiny_plan, write_recipes
from training.compare import cli
from training.compare.compare import compare
from training.compare.comparing import open_comparison
from training.compare.outcome import Comparison, read_comparison

COMMAND = "seq2serve compare tiny"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recipes, and in `out` their comparison."""
    made = tmp_path_factory.mktemp("compare")
    write_recipes(made)
    run(made)
    return made


def run(folder: Path) -> Comparison:
    plan, recipes = tiny_plan(folder, budgets={"tokens": 1200, "flops": 4e7}, joined={"longest": 2})
    return compare(open_comparison(plan, recipes, folder / "out"), HereOnly(at_once=1), COMMAND)


def test_everything_is_recorded(folder: Path) -> None:
    found = read_comparison(folder / "out")
    assert (found.command, found.seeds) == (COMMAND, (1, 2))
    assert [system.name for system in found.systems] == ["a", "b"]
    assert [view.name for view in found.views] == ["tokens", "flops"]
    assert [test.name for test in found.test_sets] == ["test", "test-joined-2"]
    assert [data.name for data in found.data] == ["all", "joined"]
    assert len(found.runs) == 2 * 2 * 2
    assert len(found.points) == len(found.runs) * 2
    assert len(found.results) == len(found.points) * 2
    assert len(found.contrasts) == 2 * 2 * 2 * 3  # data, views, test sets, metrics
    assert len(found.summaries) == len(found.contrasts) * 2


def test_equal_budgets_are_equal(folder: Path) -> None:
    found = read_comparison(folder / "out")
    for point in found.points:
        spent = point.target_tokens if point.view == "tokens" else point.flops
        budget = next(view.budget for view in found.views if view.name == point.view)
        assert budget <= spent <= 1.35 * budget  # an update of so small a run is a tenth of it
        assert point.length_penalty == 1.0
    for one in found.runs:
        assert one.views == ("tokens", "flops")
        assert one.curve[-1].target_tokens == pytest.approx(one.target_tokens)
        assert one.energy.joules == pytest.approx(one.processor_minutes * 60 * 5, rel=0.1)
        assert [(sat.from_update, sat.machine) for sat in one.trained] == [(0, found.machine)]
        assert (folder / "out" / one.folder / "final").is_dir()


def test_translations_lie_beside_and_give_the_scores(folder: Path) -> None:
    from training.evaluate import bleu, chrf, ter

    found = read_comparison(folder / "out")
    references = {
        test.name: (folder / "out" / test.references).read_text().splitlines()
        for test in found.test_sets
    }
    assert len(references["test"]) == 24
    assert len(references["test-joined-2"]) == 12
    for result in found.results:
        texts = (folder / "out" / result.hypotheses).read_text(encoding="utf-8").splitlines()
        for score, metric in zip(result.scores, (bleu, chrf, ter), strict=True):
            again = metric(texts, references[result.test_set])
            assert (score.value, score.signature) == (again.value, again.signature)
        assert result.decoding.sentences_per_s > 0


def test_means_and_differences_are_those_of_the_results(folder: Path) -> None:
    found = read_comparison(folder / "out")
    for summary in found.summaries:
        of = (summary.system, summary.data, summary.view, summary.test_set)
        scores = [
            result.value(summary.metric)
            for result in found.results
            if (result.system, result.data, result.view, result.test_set) == of
        ]
        assert len(scores) == 2
        assert summary.mean.value == pytest.approx(sum(scores) / 2)
        assert (summary.least, summary.greatest) == pytest.approx((min(scores), max(scores)))
    for contrast in found.contrasts:
        means = [
            summary.mean.value
            for summary in found.summaries
            if (summary.data, summary.view, summary.test_set, summary.metric)
            == (contrast.data, contrast.view, contrast.test_set, contrast.metric)
        ]
        assert contrast.difference.value == pytest.approx(means[1] - means[0])
        assert contrast.better == "neither" or contrast.difference.is_clear
        assert ("is better than" in contrast.verdict) == (contrast.better != "neither")


def test_the_same_again_is_the_same_bytes_without_training(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (folder / "out/comparison.json").read_bytes()
    monkeypatch.setattr(HereOnly, "train", lambda self, recipes: recipes and pytest.fail("trained"))
    monkeypatch.setattr(
        "training.compare.scored.translate_sentences", lambda *_: pytest.fail("translated")
    )
    run(folder)
    assert (folder / "out/comparison.json").read_bytes() == before


def test_what_is_lost_is_done_again(folder: Path) -> None:
    before = read_comparison(folder / "out")
    shutil.rmtree(folder / "out/runs/a/all/seed-2")
    (folder / "out/comparison.json").unlink()
    after = run(folder)
    timed = {"runs", "points", "results"}
    assert after.model_dump(exclude=timed) == before.model_dump(exclude=timed)
    weights = [[point.weights_sha256 for point in found.points] for found in (before, after)]
    assert weights[0] == weights[1]


def test_the_verb_tells_the_price_then_uses_what_is_there(folder: Path) -> None:
    plan = folder / "plan.yaml"
    values = plan_values(folder, budgets={"tokens": 1200, "flops": 4e7}, joined={"longest": 2})
    plan.write_text(yaml.safe_dump(values), encoding="utf-8")
    arguments = [str(plan), "--out", str(folder / "out"), "--jobs", "1"]
    told = CliRunner().invoke(cli.compare, [*arguments, "--dry-run"], catch_exceptions=False)
    assert told.exit_code == 0
    assert "every run is finished" in told.output
    done = CliRunner().invoke(cli.compare, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert "a, all, equal tokens, test: BLEU" in done.output
    assert "2 seeds" in done.output
    assert f"everything is in {folder / 'out'}" in done.output
    assert (folder / "out/report/report.html").is_file()


def test_the_gate_exits_by_what_it_finds(folder: Path) -> None:
    report = folder / "gate.json"
    models = [str(folder / f"out/runs/{name}/all/seed-1") for name in "aa"]
    flags = ["--margin", "1", "--beam-size", "1", "--json", str(report)]
    found = CliRunner().invoke(cli.compare, ["--promote", *models, *flags], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    assert json.loads(report.read_text())["promoted"] is True
    assert found.output.count("\n") == 1


def test_flags_that_do_not_fit_are_refused(folder: Path) -> None:
    plan = folder / "plan.yaml"
    plan.write_text(yaml.safe_dump(plan_values(folder)), encoding="utf-8")
    a, b = str(folder / "a.yaml"), str(folder / "b.yaml")
    for arguments, message in (
        ([], "name a plan, or two recipes"),
        ([a], "is a recipe; name a second one"),
        (["nothing"], r"no plan of this name, only .*compare-embedded"),
        ([str(plan), "--seeds", "2"], "--seeds: the plan"),
        ([str(plan), "--tokens", "2"], "--tokens: the plan"),
        ([a, b], "set at least one of tokens, minutes and flops"),
        ([a, b, "--tokens", "5", "--margin", "1"], "--margin: only together with --promote"),
        ([a, b, "--settings", "s.yaml"], "--settings: only together with --promote"),
        ([a, "--promote", a, b], "two models, at most one --split and no recipes"),
        (["--promote", a, b, "--dry-run", "--set", "a=b"], "--set, --dry-run: not together with"),
        (["--promote", a, b, "--minutes", "5", "--ray", "auto"], "--ray, --minutes: not together"),
    ):
        with pytest.raises(ConfigError, match=message):
            CliRunner().invoke(cli.compare, arguments, catch_exceptions=False)


def test_what_is_no_comparison_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_comparison(tmp_path)
    (tmp_path / "comparison.json").write_text("{}")
    with pytest.raises(ConfigError, match="name: Field required"):
        read_comparison(tmp_path)
