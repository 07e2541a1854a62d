"""The parts of the training benchmark, at toy size and without any peer installed."""

import io
import json
import subprocess
import sys
import venv
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from mt.errors import CorpusError
from mt.tokenizer import EOS_ID
from tests.benchmarks import training, training_data, training_ours
from tests.benchmarks.training_data import multi30k, prepare_data, recipe_for
from tests.benchmarks.training_peers import environments
from tests.benchmarks.training_peers.job import SIZES, GRUSize, Job
from tests.benchmarks.training_peers.meter import Meter, peak_rss_mb
from tests.benchmarks.training_plain import loss, random_plan, tutorial
from tests.benchmarks.training_process import Contestant, ContestantError
from tests.tiny_run import tiny_recipe, write_corpus
from training.batching import Batch, collate, updates
from training.models import build_model
from training.models.seq2seq import count_parameters
from training.prepare import Prepared
from training.recipe import Recipe
from training.session import Session
from training.update import update_weights

REPOSITORY = Path(__file__).parents[2]


class LeftError(Exception):
    """The meter's wish to end the process."""


class MeterUnderTest:
    """A meter that is asked for some rounds; each look at its clock takes a CPU second."""

    def __init__(self, *asked: dict[str, float]) -> None:
        self._replies, self._seconds = io.StringIO(), 0.0
        commands = io.StringIO("".join(json.dumps(one) + "\n" for one in asked))
        self.meter = Meter(["numpy"], commands, self._replies, self._clock, self._leave)

    @property
    def replies(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._replies.getvalue().splitlines()]

    def _clock(self) -> float:
        self._seconds += 1
        return self._seconds

    def _leave(self) -> None:
        raise LeftError


def train_for_ever(meter: Meter, tokens: int) -> None:
    while True:
        meter.begin_update(tokens)


def test_a_round_is_whole_updates_and_their_tokens() -> None:
    asked = MeterUnderTest({"updates": 2, "seconds": 0}, {"updates": 1, "seconds": 0})
    for tokens in (10, 20, 30):
        asked.meter.begin_update(tokens)
    with pytest.raises(LeftError):
        asked.meter.begin_update(40)
    assert [(each["updates"], each["tokens"]) for each in asked.replies] == [(2, 30), (1, 30)]
    assert asked.replies[0]["versions"].keys() == {"numpy"}
    assert asked.replies[0]["peak_rss_mb"] == pytest.approx(peak_rss_mb(), rel=0.5)


def test_a_round_lasts_as_long_as_asked() -> None:
    asked = MeterUnderTest({"updates": 1, "seconds": 3})
    with pytest.raises(LeftError):
        train_for_ever(asked.meter, 5)
    (reply,) = asked.replies
    assert reply["updates"] == 3  # one look at the clock an update
    assert reply["tokens"] == 15
    assert reply["cpu_seconds"] == 4  # and one more for the report


def test_a_toolkits_step_is_counted_and_not_changed() -> None:
    class Toolkit:
        def step(self, batch: list[int], scale: int = 1) -> int:
            return scale * sum(batch)

    asked = MeterUnderTest({"updates": 2, "seconds": 0})
    asked.meter.before(Toolkit, "step", lambda _, batch, **__: len(batch))
    toolkit = Toolkit()
    assert toolkit.step([1, 2, 3], scale=2) == 12
    assert toolkit.step([4]) == 4
    with pytest.raises(LeftError):
        toolkit.step([5])
    assert asked.replies[0]["tokens"] == 4


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, Prepared]:
    folder = tmp_path_factory.mktemp("toy")
    write_corpus(folder)
    return toy_job(folder), prepare_data(tiny_recipe(folder), folder / "data")


def toy_job(folder: Path, size: str = "tiny") -> Job:
    return Job(size, str(folder / "data"), str(folder), max_tokens=200)


def test_peers_read_the_very_ids_we_train_on(toy: tuple[Job, Prepared]) -> None:
    job, prepared = toy
    sources, targets = job.ids("src"), job.ids("tgt")
    assert len(sources) == len(targets) == prepared.dataset.facts.pairs
    assert sum(len(ids) + 1 for ids in targets) == prepared.dataset.facts.tgt_tokens
    assert sources[7] == prepared.dataset.src[7].tolist()
    assert len(job.text("dev", "tgt").read_text("utf-8").splitlines()) == training_data.DEV_PAIRS
    words = job.vocabulary.read_text("utf-8").split()
    assert words == [str(number) for number in range(4, prepared.tokenizer.vocab_size)]


@pytest.mark.parametrize("size", SIZES)
def test_our_models_have_the_peers_sizes(toy: tuple[Job, Prepared], size: str) -> None:
    recipe = recipe_for(toy_job(Path(toy[0].work), size))
    parameters = count_parameters(build_model(recipe.model, 8000))
    table = {"tiny": 2.35e6, "small": 7.58e6, "gru256": 4.16e6, "gru512": 8.69e6}
    assert parameters == pytest.approx(table[size], rel=0.12)
    assert recipe.batching.max_tokens == 200


@pytest.mark.parametrize("kind", ["steady", "sustained"])
def test_ours_counts_what_it_trains(
    toy: tuple[Job, Prepared], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, prepared = toy
    monkeypatch.setattr("training.train.update_weights", update_weights)  # put back afterwards
    session = Session(recipe_for(job), tmp_path, prepared, None)
    asked = MeterUnderTest({"updates": 2, "seconds": 0}, {"updates": 2, "seconds": 0})
    contestant = {
        "steady": lambda: training_ours.train_steadily(session, asked.meter, ready_made=2),
        "sustained": lambda: training_ours.train_sustained(session, asked.meter),
    }
    with pytest.raises(LeftError):
        contestant[kind]()
    stream = updates(prepared.dataset, session.recipe.batching, session.recipe.seed)
    tokens = [training_ours.target_tokens(step) for step in islice(stream, 4)]
    rounds = [sum(tokens[:2]), sum(tokens[:2] if kind == "steady" else tokens[2:])]
    assert [each["tokens"] for each in asked.replies] == rounds
    assert session.state.update == 4


def test_plain_batches_hold_every_pair_once_within_the_budget(toy: tuple[Job, Prepared]) -> None:
    dataset = toy[1].dataset
    plan = random_plan(dataset, max_tokens=100)
    assert sorted(i for pairs in plan for i in pairs) == list(range(len(dataset.tgt)))
    padded = [len(pairs) * max(int(dataset.tgt.lengths[i]) for i in pairs) for pairs in plan]
    assert max(padded) <= 100


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("size", ["tiny", "gru256"])
def test_plain_pytorch_ignores_padding(toy: tuple[Job, Prepared], size: str) -> None:
    job, prepared = toy
    config = recipe_for(toy_job(Path(job.work), size)).model
    model = tutorial(config, prepared.tokenizer.vocab_size).eval()
    (batch,) = next(updates(prepared.dataset, recipe_for(job).batching, seed=1)).batches
    one_by_one = sum(loss(model, row, 0.1).item() for row in rows_of(batch))
    assert loss(model, batch, 0.1).item() == pytest.approx(one_by_one, rel=1e-4)


def rows_of(batch: Batch) -> list[Batch]:
    """Each pair alone, without padding."""
    return [
        collate([src[src > EOS_ID].numpy()], [tgt[tgt > EOS_ID].numpy()])
        for src, tgt in zip(batch.src, batch.tgt_out, strict=True)
    ]


def test_each_trick_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for trick, (module, name, instead) in training_ours.TRICKS.items():
        monkeypatch.setattr(f"{module}.{name}", getattr(sys.modules[module], name))
        training_ours.switch_off(trick)
        assert getattr(sys.modules[module], name) is instead


CHILD = """
import sys
sys.path.insert(0, {repository!r})
from tests.benchmarks.training_peers.meter import Meter
print("said while it is imported", flush=True)
meter = Meter()
print("said while it trains", flush=True)
while True:
    meter.begin_update(100)
    sum(range(20_000))
"""


def child(source: str, folder: Path) -> Contestant:
    command = (sys.executable, "-c", source.format(repository=str(REPOSITORY)))
    return Contestant("child", command, Job("tiny", str(folder)), folder / "child.log", 1)


def test_a_contestant_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    contestant = child(CHILD, tmp_path)
    try:
        contestant.start()
        for _ in range(3):
            contestant.run_round(2, 0.0)
    finally:
        contestant.stop()
    found = contestant.figures()
    assert (found["updates"], found["tokens_per_update"]) == (6, 100)
    assert len(found["of_rounds"]) == 3
    assert sorted(found["of_rounds"])[1] == found["tokens_per_cpu_second"]
    assert contestant.log.read_text("utf-8") == "said while it trains\n"


def test_a_contestant_that_fails_says_why(tmp_path: Path) -> None:
    contestant = child("raise SystemExit('no such toolkit')", tmp_path)
    try:
        with pytest.raises(ContestantError, match="no such toolkit"):
            contestant.start()
    finally:
        contestant.stop()


def figures(**speeds: float) -> dict[str, dict[str, Any]]:
    names = {"bucketed": training.BUCKETED, "ours": "seq2serve fp32 steady"}
    return {names.get(key, key): {"tokens_per_cpu_second": each} for key, each in speeds.items()}


def test_ratios_are_to_the_best_toolkit_joeynmt_and_plain_pytorch() -> None:
    found = training.ratios(figures(joeynmt=100.0, eole=200.0, bucketed=250.0, ours=500.0))
    ours = {reference: each["seq2serve fp32 steady"] for reference, each in found.items()}
    assert ours == {"eole": 2.5, "joeynmt": 5.0, training.BUCKETED: 2.0}


def test_plain_pytorch_is_the_reference_where_no_toolkit_is_installed() -> None:
    assert training.best_peer(figures(bucketed=250.0, ours=500.0)) == training.BUCKETED
    assert training.best_peer(figures(ours=500.0)) == ""


def test_the_benchmark_writes_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_corpus(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setattr(training, "multi30k", lambda: tiny_recipe(tmp_path))
    all_of_them = training.contestants
    monkeypatch.setattr(
        training, "contestants", lambda *of: [c for c in all_of_them(*of) if "sustained" in c.name]
    )
    rounds = ["--rounds", "1", "--updates", "1", "--seconds", "0"]
    assert training.main(["--sizes", "tiny", "--peers", "joeynmt", *rounds]) == 0
    written = json.loads(Path("build/bench/training.json").read_text("utf-8"))
    ours = written["sizes"]["tiny"]["contestants"]["seq2serve fp32 sustained"]
    assert ours["tokens_per_cpu_second"] > 0
    assert ours["peak_rss_mb"] > 50
    assert written["left_out"]["joeynmt"] == "not installed; run make bench-training-peers"
    assert "seq2serve fp32 sustained" in capsys.readouterr().out


def test_without_data_the_benchmark_says_so_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SEQ2SERVE_DATA", raising=False)
    assert training.main([]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: SEQ2SERVE_DATA is not set")
    assert error.count("\n") == 1


def test_the_benchmarks_recipe_is_of_published_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQ2SERVE_DATA", raising=False)
    with pytest.raises(CorpusError, match="SEQ2SERVE_DATA"):
        multi30k()


def test_every_peer_has_a_module_and_pins_our_torch() -> None:
    constraints = (REPOSITORY / "constraints.txt").read_text("utf-8").splitlines()
    (ours,) = (line for line in constraints if line.startswith("torch=="))
    for peer in environments.PEERS:
        lines = (environments.REQUIREMENTS / f"{peer}.txt").read_text("utf-8").splitlines()
        assert ours in lines, peer
        assert all("==" in line for line in lines if not line.startswith("#")), peer
        assert (environments.REQUIREMENTS.parent / f"{peer}.py").is_file()


def test_an_environment_is_ready_while_its_requirements_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def create(folder: Path, **_: Any) -> None:
        made.append(folder)
        folder.mkdir()

    monkeypatch.setattr(venv, "create", create)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0))
    assert environments.interpreter("eole", tmp_path) is None
    assert environments.install("eole", tmp_path) is None
    assert environments.interpreter("eole", tmp_path) == tmp_path / "eole/bin/python"
    assert environments.install("eole", tmp_path) is None
    assert made == [tmp_path / "eole"]
    (tmp_path / "eole" / environments.COMPLETE).write_text("older", encoding="utf-8")
    assert environments.interpreter("eole", tmp_path) is None


def test_a_peer_that_does_not_install_is_named_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "notes\nERROR: no wheel\nhint")
    monkeypatch.setattr(venv, "create", lambda folder, **_: folder.mkdir())
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    assert environments.install("eole", tmp_path) == "ERROR: no wheel"
    assert environments.interpreter("eole", tmp_path) is None


def test_sizes_are_those_of_the_table() -> None:
    tiny = toy_job(Path(), "tiny").transformer
    assert (tiny.layers, tiny.d_model, tiny.d_ff, tiny.n_heads) == (4, 128, 256, 4)
    assert SIZES["gru512"] == GRUSize(hidden=512, embedding=256)


def test_a_run_for_ever_stays_one_recipe(toy: tuple[Job, Prepared]) -> None:
    recipe = recipe_for(toy[0])
    assert isinstance(recipe, Recipe)
    assert recipe.optimizer.ema_decay == 0.998
    assert recipe.training.max_updates == recipe.evaluation.every_updates == training_data.NEVER
