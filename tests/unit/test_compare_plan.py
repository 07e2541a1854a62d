"""Plans: what they may say, and what of it makes no comparison."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mt.config import validate
from mt.errors import ConfigError
from tests.tiny_comparison import plan_values
from training.compare.plan import JOINED, Plan, plan_of_recipes, read_plan


def planned(**changes: Any) -> Plan:
    return validate(plan_values(Path("recipes"), **changes), Plan, where="plan.yaml")


def test_views_are_those_with_a_budget() -> None:
    plan = planned(budgets={"flops": 2e12, "tokens": 10_000_000})
    assert [view.name for view in plan.views] == ["tokens", "flops"]
    assert [view.title for view in plan.views] == ["10,000,000 target tokens", "2.00e+12 FLOPs"]
    assert planned(budgets={"minutes": 0.5}).views[0].title == "0.5 processor minutes"


def test_data_conditions_are_all_pairs_then_fewer_then_joined_ones() -> None:
    plan = planned(
        budgets={"tokens": 10, "minutes": 1},
        data_sizes=[3000, 1000],
        data_views=["tokens"],
        joined={"longest": 3},
    )
    assert [data.name for data in plan.conditions] == ["all", "1000-pairs", "3000-pairs", "joined"]
    assert plan.conditions[1].train_pairs == 1000
    assert [view.name for view in plan.views_of(plan.conditions[0])] == ["tokens", "minutes"]
    assert [view.name for view in plan.views_of(JOINED)] == ["tokens"]
    assert len(planned(joined={"train": False}).conditions) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budgets": {}}, "set at least one of tokens, minutes and flops"),
        ({"budgets": {"tokens": 0}}, r"budgets\.tokens"),
        ({"seeds": [1, 1]}, "seeds: 1 is there twice"),
        ({"seeds": []}, "seeds"),
        ({"systems": [{"name": "a", "recipe": "a"}]}, "at least 2 items"),
        ({"systems": [{"name": "a", "recipe": "a"}] * 2}, "systems: a is there twice"),
        ({"systems": [{"name": "../a", "recipe": "a"}] * 2}, r"systems\.0\.name"),
        ({"tests": ["t", "t"]}, "tests: t is there twice"),
        ({"data_sizes": [5, 5]}, "data_sizes: 5 is there twice"),
        ({"data_views": ["minutes"]}, "data_views: budgets has no minutes"),
        ({"search": {"length_penalties": []}}, r"search\.length_penalties"),
        ({"search": {"length_penalties": [1, 1]}}, "1.0 is there twice"),
        ({"search": {"beam_size": 1}}, r"search\.beam_size"),
        ({"joined": {"longest": 1}}, r"joined\.longest"),
        ({"seed": 1}, "seed: Extra inputs"),
        (
            {
                "systems": [
                    {"name": "a", "recipe": "a", "runs": {1: "r", 9: "s"}},
                    {"name": "b", "recipe": "b"},
                ]
            },
            "a has runs of seeds that are not compared: 9",
        ),
    ],
)
def test_wrong_plans_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        planned(**changes)


def test_a_plan_is_read_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(plan_values(tmp_path)), encoding="utf-8")
    assert read_plan(path) == validate(plan_values(tmp_path), Plan, where="")
    assert read_plan(path, ["samples=200"]).samples == 200
    with pytest.raises(ConfigError, match=r"no\.yaml: no such file"):
        read_plan(tmp_path / "no.yaml")


def test_recipes_and_flags_make_a_plan() -> None:
    plan = plan_of_recipes([("a", "a.yaml"), ("b", "b.yaml")], ["x.y=1"], 2, tokens=50)
    assert plan.name == "a-b"
    assert plan.seeds == (1, 2)
    assert [system.recipe for system in plan.systems] == ["a.yaml", "b.yaml"]
    assert plan.settings == ("x.y=1",)
    assert plan.budgets.tokens == 50


def test_recipes_without_a_budget_or_alone_make_none() -> None:
    with pytest.raises(ConfigError, match="set at least one of tokens"):
        plan_of_recipes([("a", "a"), ("b", "b")], [], 1, tokens=None)
    with pytest.raises(ConfigError, match="at least 2 items"):
        plan_of_recipes([("a", "a")], [], 1, tokens=5)
    with pytest.raises(ConfigError, match="systems: a is there twice"):
        plan_of_recipes([("a", "a"), ("a", "b")], [], 1, tokens=5)
