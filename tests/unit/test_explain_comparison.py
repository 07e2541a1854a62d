"""Findings of whole comparisons: joined sentences, data sizes, costs, and the file they end in."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mt.errors import ConfigError
from tests.fake_comparison import fake_comparison
from tests.tiny_models import tiny_gru, tiny_transformer
from tests.tiny_run import random_pairs, tiny_recipe, tiny_tokenizer
from training.compare.explain.aligner import aligner_name
from training.compare.explain.attention_findings import pictured
from training.compare.explain.data_size import crossings, size_scores
from training.compare.explain.explain import explain, explanations_of
from training.compare.explain.explanations import FILE, read_explanations
from training.compare.explain.forced_attention import forced_attention
from training.compare.explain.joined import joined_scores
from training.compare.explain.material import Material, read_lines
from training.compare.explain.pareto import pareto
from training.compare.outcome import Comparison, Estimate
from training.models.seq2seq import Seq2Seq
from training.stepper import TorchStepper
from training.system import System
from training.train import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("comparison")


@pytest.fixture(scope="module")
def comparison(folder: Path) -> Comparison:
    return fake_comparison(folder)


def test_the_first_view_and_all_of_the_data_are_looked_at(
    comparison: Comparison, folder: Path
) -> None:
    material = Material.of(comparison, folder)
    assert (material.view, material.data) == ("tokens", "all")
    (test_set,) = material.test_sets
    outputs = material.outputs(test_set)
    assert outputs.systems == ("transformer", "gru", "gru-plain")
    assert list(outputs.hypotheses["gru"]) == [1, 2, 3]
    assert len(outputs.sources) == 24


def test_a_file_of_another_length_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\u2028two\n", encoding="utf-8")
    assert read_lines(tmp_path / "a.txt", 2) == ["one", "\u2028two"]
    with pytest.raises(ConfigError, match="has 2 lines, the comparison counts 3"):
        read_lines(tmp_path / "a.txt", 3)
    with pytest.raises(ConfigError, match=r"b\.txt cannot be read"):
        read_lines(tmp_path / "b.txt", 3)


def test_scores_stand_by_joined_sentences(comparison: Comparison) -> None:
    lengths = {"test": 5.0, "test-joined-2": 10.0, "test-joined-3": 15.0, "test-joined-4": 20.0}
    rows = joined_scores(comparison, "tokens", lengths)
    of_gru = [row for row in rows if (row.system, row.data) == ("gru", "all")]
    assert [(row.joined, row.mean_length) for row in of_gru] == [(1, 5), (2, 10), (3, 15), (4, 20)]
    assert {row.data for row in rows} == {"all", "1000-pairs", "joined"}
    summary = next(
        one
        for one in comparison.summaries
        if (one.system, one.data, one.view, one.test_set, one.metric)
        == ("gru", "all", "tokens", "test-joined-3", "BLEU")
    )
    assert of_gru[2].bleu == summary.mean


def test_without_joined_sentences_there_is_no_such_picture(comparison: Comparison) -> None:
    plain = comparison.model_copy(update={"test_sets": comparison.test_sets[:1]})
    of_test = tuple(one for one in comparison.summaries if one.test_set == "test")
    plain = plain.model_copy(update={"summaries": of_test})
    assert joined_scores(plain, "tokens", {"test": 5.0}) == ()


def test_lines_over_data_cross_where_the_difference_is_zero(comparison: Comparison) -> None:
    sizes = {"1000-pairs": 1000, "all": 100_000}
    assert [row.pairs for row in size_scores(comparison, "tokens", "test", sizes)] == [
        *(1000, 100_000),
        *(1000, 100_000),
        *(1000, 100_000),
    ]

    def with_differences(small: float, large: float, better: tuple[str, str]) -> Comparison:
        chosen = [
            one.model_copy(
                update={
                    "difference": Estimate(value=value, low=value, high=value),
                    "better": who,
                }
            )
            for one in comparison.contrasts
            if (one.second, one.metric, one.view, one.test_set) == ("gru", "BLEU", "tokens", "test")
            for value, who in [
                (small, better[0]) if one.data == "1000-pairs" else (large, better[1])
            ]
            if one.data != "joined"
        ]
        return comparison.model_copy(update={"contrasts": tuple(chosen)})

    (found,) = crossings(with_differences(3.0, -1.0, ("second", "first")), "tokens", "test", sizes)
    assert found.pairs == pytest.approx(10 ** (3 + 2 * 3 / 4))  # three quarters of two decades
    assert (found.below, found.above, found.clear) == (1000, 100_000, True)
    (found,) = crossings(with_differences(3.0, -1.0, ("neither", "first")), "tokens", "test", sizes)
    assert not found.clear
    assert crossings(with_differences(3.0, 1.0, ("second",) * 2), "tokens", "test", sizes) == ()


def test_the_front_holds_what_no_other_beats_in_both(comparison: Comparison) -> None:
    rows = {(row.system, row.cost): row for row in pareto(comparison, "tokens", "all", "test")}
    assert {cost for _, cost in rows} == {"seconds", "memory", "energy", "parameters"}
    quick = rows["gru", "seconds"]
    assert quick.value == pytest.approx(7 * 1.04)
    assert (quick.least, quick.most) == pytest.approx((7 * 1.02, 7 * 1.06))
    best = max(rows.values(), key=lambda row: row.bleu.value).system
    assert all(rows[best, cost].on_front for _, cost in rows)
    for (system, cost), row in rows.items():
        beaten = any(
            other.value < row.value and other.bleu.value > row.bleu.value
            for (_, its), other in rows.items()
            if its == cost
        )
        assert not (beaten and row.on_front), (system, cost)


@pytest.mark.parametrize("model", [tiny_gru, tiny_transformer])
def test_forced_attention_is_that_of_a_search_that_may_only_write_this(
    model: Callable[..., Seq2Seq], tmp_path: Path
) -> None:
    tokenizer = tiny_tokenizer()
    stepper = TorchStepper(model(vocab_size=tokenizer.vocab_size))
    system = System("tiny", stepper, tokenizer, tiny_recipe(tmp_path), "0" * 64, "torch-fp32")
    pairs = random_pairs(5, seed=9)
    found = forced_attention(system, [pair.src for pair in pairs], [pair.tgt for pair in pairs])
    assert found is not None
    for one, (src, tgt) in zip(found, pairs, strict=True):
        sizes = (len(tokenizer.encode(tgt)) + 1, len(tokenizer.encode(src)) + 1)
        assert one.shape == sizes
        np.testing.assert_allclose(one.sum(1), 1.0, rtol=1e-5)
    alone = forced_attention(system, [pairs[3].src], [pairs[3].tgt])
    assert alone is not None
    np.testing.assert_allclose(alone[0], found[3], rtol=1e-4, atol=1e-6)


def test_a_model_without_attention_has_none(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    stepper = TorchStepper(tiny_gru(vocab_size=tokenizer.vocab_size, attention="none"))
    system = System("tiny", stepper, tokenizer, tiny_recipe(tmp_path), "0" * 64, "torch-fp32")
    assert forced_attention(system, ["the cat"], ["die katze"]) is None


def test_pictured_sentences_are_chosen_by_chance_and_repeatably() -> None:
    sources = ["short one", *(f"{i} of seven words in all here" for i in range(50))]
    chosen = pictured(sources, 1)
    assert chosen == pictured(sources, 1) == sorted(set(chosen))
    assert len(chosen) == 4
    assert 0 not in chosen
    assert pictured(["short one"], 1) == []


def test_all_findings_are_made_once_and_kept(comparison: Comparison, folder: Path) -> None:
    made = explanations_of(comparison, folder)
    assert (folder / FILE).is_file()
    assert read_explanations(folder, comparison) == made
    (test_set,) = made.test_sets
    assert {row.system for row in test_set.length_scores} == {"transformer", "gru", "gru-plain"}
    assert test_set.word_accuracy  # the corpus was at hand
    assert {row.pairs for row in made.sizes} == {1000, 200}
    assert made.attention is None
    assert any("attention of gru was not looked at" in note for note in made.notes)
    other = comparison.model_copy(update={"name": "other"})
    assert read_explanations(folder, other) is None


def test_weights_at_hand_show_their_attention(tmp_path: Path) -> None:
    comparison = fake_comparison(tmp_path)
    train(tiny_recipe(tmp_path, **{"training.max_updates": 2}), tmp_path / "run")
    points = [
        one.model_copy(update={"checkpoint": "run"}) if one.system == "gru" else one
        for one in comparison.points
    ]
    found = explain(comparison.model_copy(update={"points": tuple(points)}), tmp_path)
    assert found.attention is not None
    (score,) = found.attention.scores
    assert (score.system, found.attention.sentences) == ("gru", 24)
    assert score.entropy.value > 0
    assert {one.number for one in found.attention.heat_maps} == {
        at + 1 for at in pictured([pair.src for pair in random_pairs(24, seed=3)], 12345)
    }
    left_out = [one for one in found.test_sets[0].faults if one.fault == "source words left out"]
    if aligner_name():
        assert score.agreement is not None
        assert {one.system for one in left_out} >= {"gru", "(references)"}
    else:
        assert (score.agreement, left_out) == (None, [])
        assert any("eflomal" in note for note in found.notes)


def test_without_the_training_text_the_rest_is_still_found(
    comparison: Comparison, folder: Path
) -> None:
    gone = comparison.systems[0].settings | {"corpus": {"name": "gone"}}
    systems = [one.model_copy(update={"settings": gone}) for one in comparison.systems]
    found = explain(comparison.model_copy(update={"systems": tuple(systems)}), folder)
    assert found.test_sets[0].length_scores
    assert found.test_sets[0].word_accuracy == ()
    assert any("training text was not at hand" in note for note in found.notes)


def test_data_is_compared_in_the_view_that_has_most_of_it(
    comparison: Comparison, folder: Path
) -> None:
    assert Material.of(comparison, folder).data_view == "tokens"
    turned = comparison.model_copy(update={"views": comparison.views[::-1]})
    material = Material.of(turned, folder)
    assert (material.view, material.data_view) == ("flops", "tokens")
