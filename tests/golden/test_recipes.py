"""Every recipe that ships loads, and families that are compared have the same size."""

from pathlib import Path

import pytest

import training
from tests.tiny_run import tiny_tokenizer
from training.ablation import read_plan
from training.compare.cli import read_any_plan
from training.compare.fairness import check_fairness
from training.compare.plan import read_plan as read_comparison_plan
from training.models import build_model
from training.models.seq2seq import count_parameters
from training.recipe import read_recipe

SHIPPED = sorted(Path(training.__file__).parent.joinpath("recipes").glob("*.yaml"))


PLANS = sorted(SHIPPED[0].parent.with_name("plans").glob("ablation-*.yaml"))
COMPARISONS = sorted(SHIPPED[0].parent.with_name("plans").glob("compare-*.yaml"))


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vocabulary in place of one that a plan takes from a run trained before."""
    path = tmp_path_factory.mktemp("pieces") / "tokenizer.model"
    path.write_bytes(tiny_tokenizer().model)
    return path


def parameters(name: str, *settings: str) -> int:
    recipe = read_recipe(name, settings)
    return count_parameters(build_model(recipe.model, recipe.subwords.vocab_size))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_recipe_loads_by_name(path: Path) -> None:
    recipe = read_recipe(path.stem)
    assert recipe.name in path.stem  # the demo's recipes are named for the systems they make
    assert recipe == read_recipe(str(path))


PAIRS = [
    (f"{task}-gru-{size}", f"{task}-transformer-{size}")
    for task in ("multi30k-en-de", "multi30k-en-fr", "tatoeba-en-de")
    for size in ("s", "m")
]


@pytest.mark.parametrize(("gru", "transformer"), PAIRS)
def test_the_families_that_are_compared_match_within_one_per_cent(
    gru: str, transformer: str
) -> None:
    assert parameters(gru) == pytest.approx(parameters(transformer), rel=0.01)


ABLATION = {"none": 129, "dot": 129, "general": 121, "bahdanau": 114}  # encoder sizes
DEMOS = ["demo-recurrent", "demo-lstm", "demo-rnn", "demo-hybrid"]


@pytest.mark.parametrize("attention", ABLATION)
def test_the_attention_ablation_matches_within_one_per_cent(attention: str) -> None:
    size = ABLATION[attention]
    sizes = {"attention": attention, "encoder_size": size, "decoder_size": 2 * size}
    settings = [f"model.{key}={value}" for key, value in sizes.items()]
    changed = parameters("demo-recurrent", *settings)
    assert changed == pytest.approx(parameters("demo-transformer"), rel=0.01)
    text = Path(SHIPPED[0].parent, "demo-recurrent.yaml").read_text(encoding="utf-8")
    assert f"encoder_size {size}, decoder_size {2 * size}" in text


@pytest.mark.parametrize("name", DEMOS)
def test_the_variants_of_the_demo_are_as_large_as_its_transformer(name: str) -> None:
    assert parameters(name) == pytest.approx(parameters("demo-transformer"), rel=0.01)


@pytest.mark.parametrize("name", [*(name for pair in PAIRS for name in pair), *DEMOS])
def test_a_recipe_says_how_many_parameters_it_has(name: str) -> None:
    text = Path(SHIPPED[0].parent, f"{name}.yaml").read_text(encoding="utf-8")
    assert f"; {parameters(name):,} parameters" in text


@pytest.mark.parametrize(
    ("first", "second"),
    [
        *PAIRS,
        *(("demo-gru", name) for name in ("demo-transformer", "demo-gru-no-attention", *DEMOS)),
    ],
)
def test_what_is_compared_differs_in_model_learning_rate_and_ranges_only(
    first: str, second: str
) -> None:
    one, other = (
        read_recipe(name).model_dump(exclude={"name", "model", "optimizer", "schedule", "tune"})
        for name in (first, second)
    )
    assert one == other


@pytest.mark.parametrize(("gru", "transformer"), PAIRS)
def test_both_families_are_tuned_alike(gru: str, transformer: str) -> None:
    assert len(read_recipe(gru).tune) == len(read_recipe(transformer).tune)


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_every_row_of_a_shipped_plan_makes_a_recipe(path: Path) -> None:
    plan = read_plan(path)
    rows = [row for row in plan.rows if row.settings]
    recipes = [read_recipe(plan.recipe, plan.settings + row.settings) for row in rows]
    assert all(recipe != read_recipe(plan.recipe, plan.settings) for recipe in recipes)


@pytest.mark.parametrize("path", COMPARISONS, ids=lambda path: path.stem)
def test_every_shipped_comparison_is_fair(path: Path, pieces: Path) -> None:
    plan = read_any_plan([path.stem])
    assert plan == read_comparison_plan(path)
    runs_before = any(setting.startswith("subwords.model=runs/") for setting in plan.settings)
    stand_in = (f"subwords.model={pieces}", "subwords.vocab_size=80") if runs_before else ()
    recipes = {
        system.name: read_recipe(system.recipe, plan.settings + system.settings + stand_in)
        for system in plan.systems
    }
    assert check_fairness(plan, recipes).tests == plan.tests
