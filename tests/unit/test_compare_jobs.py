"""Which trainings a comparison needs, where budgets end, and which weights stand for them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mt.errors import CheckpointError, ConfigError
from tests.tiny_comparison import tiny_plan, write_recipes
from training.budget import Evaluation, RunState
from training.checkpoint import Checkpoint, Origin
from training.compare.comparing import Comparing, open_comparison
from training.compare.conditions import changed
from training.compare.jobs import (
    Job,
    Mark,
    at_mark,
    candidates,
    check_runs,
    is_finished,
)
from training.compare.price import price, table
from training.recipe import to_values
from training.train import train


def opened(folder: Path, **changes: Any) -> Comparing:
    return open_comparison(*tiny_plan(folder, **changes), folder / "out")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_recipes(tmp_path)
    return tmp_path


def test_one_run_serves_all_views_where_the_rate_knows_no_end(folder: Path) -> None:
    comparing = opened(folder, budgets={"tokens": 1200, "minutes": 0.5, "flops": 4e7})
    assert [job.name for job in comparing.jobs] == [
        "a, seed 1",
        "b, seed 1",
        "a, seed 2",
        "b, seed 2",
    ]
    job = comparing.jobs[0]
    flops = comparing.shared.costs["a", "all"].flops
    assert job.marks == {
        "tokens": Mark("tokens", 1200),
        "minutes": Mark("minutes", 0.5),
        "flops": Mark("tokens", round(4e7 / flops)),
    }
    training = job.recipe.training
    assert training.limits() == {
        "max_tokens": max(1200, round(4e7 / flops)),
        "max_cpu_minutes": 0.5,
    }
    assert training.end_at == "last"
    assert training.keep_at_tokens == tuple(sorted((1200, round(4e7 / flops))))
    assert training.keep_at_minutes == (0.5,)
    assert training.threads == 1
    assert {job.recipe.seed for job in comparing.jobs} == {1, 2}
    assert {job.recipe.subwords.model for job in comparing.jobs} == {comparing.shared.tokenizer}
    assert job.run == folder / "out/runs/a/all/seed-1"


def test_a_rate_that_ends_with_the_budget_needs_a_run_for_each_view(tmp_path: Path) -> None:
    write_recipes(tmp_path, a={"schedule": {"curve": "linear"}})
    jobs = opened(tmp_path, budgets={"tokens": 1200, "minutes": 1}, seeds=[5]).jobs
    assert [(job.system, *job.marks) for job in jobs] == [
        ("a", "tokens"),
        ("a", "minutes"),
        ("b", "tokens", "minutes"),
    ]
    assert jobs[0].recipe.training.limits() == {"max_tokens": 1200}
    assert jobs[1].recipe.training.limits() == {"max_cpu_minutes": 1}
    assert [job.run.name for job in jobs] == ["seed-5-tokens", "seed-5-minutes", "seed-5"]
    alone = opened(tmp_path, budgets={"tokens": 1200}, seeds=[5]).jobs
    assert [job.run.name for job in alone] == ["seed-5", "seed-5"]


def test_data_conditions_change_the_corpus_only(folder: Path) -> None:
    jobs = opened(folder, seeds=[1], data_sizes=[50], joined={"longest": 2}).jobs
    assert [job.name for job in jobs] == [
        *("a, seed 1", "b, seed 1"),
        *("a, seed 1, 50-pairs", "b, seed 1, 50-pairs"),
        *("a, seed 1, joined", "b, seed 1, joined"),
    ]
    whole, fewer, joined = (jobs[i].recipe for i in (0, 2, 4))
    assert fewer.corpus.train_pairs == 50
    assert len(joined.corpus.extra_train) == 1
    assert whole.corpus.train_pairs is None
    assert whole.corpus.extra_train == ()
    assert fewer.model == joined.model == whole.model
    assert len((folder / "out/runs/joined.jsonl").read_text().splitlines()) == 200


def test_what_is_shared_is_made_once_and_other_text_is_refused(folder: Path) -> None:
    opened(folder)
    pieces = folder / "out/runs/tokenizer.model"
    made = pieces.stat().st_mtime_ns
    opened(folder, seeds=[3])
    assert pieces.stat().st_mtime_ns == made
    with pytest.raises(ConfigError, match=r"other text: subwords\.vocab_size changed"):
        opened(folder, settings=["subwords.vocab_size=70"])


def test_a_setting_added_since_had_its_default(folder: Path) -> None:
    opened(folder)
    file = folder / "out/runs/made-from.json"
    made = json.loads(file.read_text())
    del made["subwords"]["sample"]
    file.write_text(json.dumps(made))
    opened(folder)
    with pytest.raises(ConfigError, match=r"other text: subwords\.sample changed"):
        opened(folder, settings=["subwords.sample=150"])


def kept(*states: tuple[int, int, tuple[tuple[int, float], ...]]) -> list[Checkpoint]:
    """Checkpoints after updates, with the tokens of then and the scores up to then."""
    return [
        Checkpoint(
            Path(f"update-{update}"),
            RunState(
                update=update, target_tokens=tokens, history=[Evaluation(*one) for one in history]
            ),
            Origin({}, {}, ""),
            f"sha{update}",
            {},
        )
        for update, tokens, history in states
    ]


def test_the_weights_at_a_mark_are_the_first_beyond_it() -> None:
    found = kept((10, 1000, ()), (20, 2000, ()), (30, 3000, ()))
    assert at_mark(found, Mark("tokens", 1990), Path("run")).state.update == 20
    assert at_mark(found, Mark("tokens", 2000), Path("run")).state.update == 20
    with pytest.raises(CheckpointError, match="no weights at 1,500 tokens, only at 1,000; train"):
        at_mark(found, Mark("tokens", 1500), Path("run"))
    with pytest.raises(CheckpointError, match="only at 3,000"):
        at_mark(found, Mark("tokens", 9000), Path("run"))


def test_the_best_checkpoint_before_a_mark_is_a_candidate_where_it_was_kept() -> None:
    early, late = (5, 20.0), (10, 15.0)
    found = kept((5, 500, (early,)), (10, 1000, (early, late)))
    chosen = candidates(found, Mark("tokens", 1000), Path("run"))
    assert [one.state.update for one in chosen] == [10, 5]
    pruned = candidates(found[1:], Mark("tokens", 1000), Path("run"))
    assert [one.state.update for one in pruned] == [10]
    rising = kept((5, 500, ((5, 1.0),)), (10, 1000, ((5, 1.0), (10, 2.0))))
    assert [one.state.update for one in candidates(rising, Mark("tokens", 1000), Path("run"))] == [
        10
    ]


def test_minutes_are_those_of_processors() -> None:
    assert Mark("minutes", 2).spent(RunState(cpu_seconds=90)) == 1.5


def trained_elsewhere(folder: Path) -> tuple[Job, Path]:
    """A job, and a run that was trained by hand as the job asks."""
    job = opened(folder, seeds=[1]).jobs[0]
    run = folder / "by-hand"
    train(job.recipe, run)
    return job, run


def with_run(folder: Path, run: Path) -> list[dict[str, Any]]:
    return [
        {"name": "a", "recipe": str(folder / "a.yaml"), "runs": {1: str(run)}},
        {"name": "b", "recipe": str(folder / "b.yaml"), "unmatched": "tiny"},
    ]


def test_a_run_from_elsewhere_is_used_as_it_is(folder: Path) -> None:
    job, run = trained_elsewhere(folder)
    assert not is_finished(job)
    comparing = opened(folder, seeds=[1], systems=with_run(folder, run))
    assert (comparing.jobs[0].run, comparing.jobs[0].given) == (run, True)
    assert is_finished(comparing.jobs[0])
    assert not is_finished(comparing.jobs[1])
    found = price(comparing.jobs, comparing.shared)
    assert [(one.system, one.finished, one.source) for one in found] == [
        ("a", 1, "1 run"),
        ("b", 0, "a few batches"),
    ]
    assert found[0].seconds == ()


def test_a_run_that_is_not_what_the_plan_says_is_refused(folder: Path) -> None:
    _, run = trained_elsewhere(folder)
    with pytest.raises(ConfigError) as caught:
        opened(
            folder,
            seeds=[1],
            systems=with_run(folder, run),
            settings=["loss.label_smoothing=0.2"],
            budgets={"tokens": 5000},
        )
    assert "by-hand was trained with other loss.label_smoothing" in str(caught.value)
    assert "by-hand kept no weights at 5,000 tokens" in str(caught.value)
    with pytest.raises(ConfigError, match="nowhere holds no checkpoints"):
        opened(folder, seeds=[1], systems=with_run(folder, folder / "nowhere"))


def test_a_run_that_was_scored_or_computed_otherwise_is_refused(folder: Path) -> None:
    job, run = trained_elsewhere(folder)
    other = folder / "other"
    changes = {"training.precision": "bf16", "evaluation.sentences": 5, "evaluation.patience": 9}
    train(changed(job.recipe, changes), other)
    keys = r"evaluation\.sentences, training\.precision"
    with pytest.raises(ConfigError, match=rf"other was trained with other {keys}$"):
        opened(folder, seeds=[1], systems=with_run(folder, other))
    opened(folder, seeds=[1], systems=with_run(folder, run))


def test_a_run_that_the_plan_has_left_is_refused_before_anything_runs(folder: Path) -> None:
    first = opened(folder, seeds=[1]).jobs[0]
    train(first.recipe, first.run)
    opened(folder, seeds=[1])
    for setting in ("training.precision=bf16", "loss.label_smoothing=0.2"):
        key = setting.partition("=")[0]
        with pytest.raises(ConfigError, match=f"seed-1 was trained with other {key}; change that"):
            opened(folder, seeds=[1], settings=[setting])


def test_a_run_with_other_pieces_is_refused(folder: Path) -> None:
    job, run = trained_elsewhere(folder)
    with pytest.raises(ConfigError, match="by-hand has another SentencePiece model"):
        check_runs([replace(job, run=run, given=True)], "0" * 64)


def test_a_run_is_finished_once_its_budget_is_spent(folder: Path) -> None:
    job = opened(folder, seeds=[1]).jobs[0]
    train(job.recipe, job.run)
    assert is_finished(job)
    longer = opened(folder, seeds=[1], budgets={"tokens": 2400}).jobs[0]
    assert to_values(longer.recipe) != to_values(job.recipe)
    assert not is_finished(longer)
    train(longer.recipe, longer.run)  # goes on where it stopped
    assert is_finished(longer)


def test_the_price_is_told_before_anything_runs(folder: Path) -> None:
    comparing = opened(folder, budgets={"tokens": 600_000, "minutes": 3})
    found = price(comparing.jobs, comparing.shared)
    assert [(one.system, one.runs, one.finished) for one in found] == [("a", 2, 0), ("b", 2, 0)]
    first = found[0]
    assert first.seconds[0] == pytest.approx(max(600_000 / first.tokens_per_s, 180))
    tokens = max(600_000, 180 * first.tokens_per_s)
    assert first.flops == pytest.approx(2 * tokens * comparing.shared.costs["a", "all"].flops)
    lines = table(found, 2)
    assert lines[0].startswith("system  data  runs  done  tokens/s")
    assert len(lines) == 4
    assert lines[-1].startswith("4 runs to train: ")
    assert "2 at a time" in lines[-1]
