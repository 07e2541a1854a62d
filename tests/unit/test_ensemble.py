"""Several models as one: the mean of what they say, worked by hand and against each alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mt.beam_search import SearchOptions, search
from mt.errors import ConfigError
from mt.stepper import Rows
from mt.tokenizer import BOS_ID
from tests.echo_bundle import echo_tokenizer
from tests.fakes import TableStepper
from tests.tiny_bundle import random_sources
from tests.tiny_models import tiny_gru, tiny_transformer
from tests.tiny_run import recipe_values, tiny_recipe, tiny_tokenizer
from training.ensemble import EnsembleStepper, log_mean
from training.models.seq2seq import Seq2Seq
from training.recipe import Recipe
from training.stepper import TorchStepper
from training.system import System, ensemble_of

SOURCES = [[4, 9, 3], [5, 6, 7, 8, 9, 10, 3], [3], [11, 12, 13, 14, 3], [7, 7, 7, 3]]
BEAM = SearchOptions(beam_size=4, n_best=4)
MODELS: dict[str, Seq2Seq] = {
    "transformer": tiny_transformer(1, norm="pre", tie_embeddings="none"),
    "gru": tiny_gru(3),
}


def ensemble(*models: Seq2Seq) -> EnsembleStepper:
    return EnsembleStepper([TorchStepper(model) for model in models])


def first_rows(slots: list[int]) -> Rows:
    count = len(slots)
    return Rows(np.array(slots), np.full(count, -1), np.full(count, BOS_ID))


def test_the_mean_is_of_probabilities() -> None:
    first = torch.tensor([[0.8, 0.2, 0.0]]).log()
    second = torch.tensor([[0.4, 0.6, 0.0]]).log()
    torch.testing.assert_close(
        log_mean([first, second]).exp(), torch.tensor([[0.6, 0.4, 0.0]]), rtol=1e-6, atol=0
    )


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_copies_of_one_model_are_that_model(model: Seq2Seq) -> None:
    alone = search(TorchStepper(model), SOURCES, BEAM, max_rows=8, max_target_tokens=10)
    copies = search(ensemble(model, model), SOURCES, BEAM, max_rows=8, max_target_tokens=10)
    for one, two in zip(alone, copies, strict=True):
        assert [hypothesis.ids for hypothesis in one] == [hypothesis.ids for hypothesis in two]
        assert [h.log_prob for h in one] == pytest.approx([h.log_prob for h in two], abs=1e-4)


def test_families_mix() -> None:
    """After every prefix of a search, the mean of what both say alone."""
    together, alone = ensemble(*MODELS.values()), [TorchStepper(m) for m in MODELS.values()]
    rows = first_rows(together.admit(SOURCES))
    for stepper in alone:
        stepper.admit(SOURCES)
    for _ in range(4):
        found = together.step(rows, 20)
        said = [stepper.distributions(rows)[0].exp() for stepper in alone]
        mean = torch.stack(said).mean(0).numpy()
        expected = np.take_along_axis(mean, found.ids, axis=1)
        np.testing.assert_allclose(np.exp(found.log_probs), expected, atol=1e-6)
        np.testing.assert_allclose(np.exp(found.log_probs).sum(1), 1.0, atol=1e-5)
        assert (np.diff(np.exp(found.log_probs), axis=1) <= 0).all()
        rows = Rows(rows.slots, np.arange(len(SOURCES)), found.ids[:, 1])


def test_sentences_join_and_leave_as_with_one_model() -> None:
    sources = [[i % 16 + 4 for i in ids[:-1]] + ids[-1:] for ids in random_sources(1, 9)]
    stepper = ensemble(*MODELS.values())
    crowded = search(stepper, sources, BEAM, max_rows=12, max_target_tokens=8)
    alone = [search(stepper, [ids], BEAM, max_target_tokens=8)[0] for ids in sources]
    assert [[h.ids for h in one] for one in crowded] == [[h.ids for h in one] for one in alone]


def test_attention_is_the_mean_and_none_where_one_has_none() -> None:
    both = [tiny_gru(1), tiny_gru(2)]
    together, alone = ensemble(*both), [TorchStepper(model) for model in both]
    rows = first_rows(together.admit(SOURCES))
    for stepper in alone:
        stepper.admit(SOURCES)
    said = [stepper.distributions(rows)[1] for stepper in alone]
    mean = torch.stack([weights for weights in said if weights is not None]).mean(0)
    found = together.step(rows, 1, True).attention
    assert found is not None
    np.testing.assert_allclose(found, mean.numpy(), atol=1e-6)
    blind = ensemble(tiny_gru(1), tiny_gru(4, attention="none"))
    assert blind.step(first_rows(blind.admit(SOURCES)), 1, True).attention is None


@pytest.mark.parametrize(
    ("models", "sizes"), [([], "none"), ([tiny_gru(), tiny_gru(vocab_size=30)], "20, 30")]
)
def test_models_of_no_one_vocabulary_are_refused(models: list[Seq2Seq], sizes: str) -> None:
    with pytest.raises(ConfigError, match=f"one vocabulary; sizes given: {sizes}$"):
        ensemble(*models)


def system(name: str, model: Seq2Seq | None = None) -> System:
    tokenizer = tiny_tokenizer()
    model = model or tiny_gru(vocab_size=tokenizer.vocab_size)
    recipe = tiny_recipe(Path("nowhere"))
    return System(name, TorchStepper(model), tokenizer, recipe, name * 3, "torch-fp32")


def test_a_system_of_several_names_them_all() -> None:
    found = ensemble_of([system("a"), system("b")])
    assert found.name == "a + b"
    assert found.members == ("aaa", "bbb")
    assert found.sha256 not in found.members
    assert isinstance(found.stepper, EnsembleStepper)


def test_systems_that_do_not_fit_together_are_refused() -> None:
    first = system("a")
    other = type(first.tokenizer)(echo_tokenizer())
    with pytest.raises(ConfigError, match=r"b has another vocabulary than a; .*subwords\.model"):
        ensemble_of([first, replace(system("b"), tokenizer=other)])
    values = recipe_values(Path("nowhere"))
    values["corpus"]["target"] = "fr"
    turned = replace(system("b"), recipe=Recipe.model_validate(values))
    with pytest.raises(ConfigError, match="b translates en-fr, a en-de"):
        ensemble_of([first, turned])
    with pytest.raises(ConfigError, match="b is a bundle; an ensemble is made of runs"):
        ensemble_of([first, replace(system("b"), stepper=TableStepper(1))])
