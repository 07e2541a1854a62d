"""What training costs is counted, hand-written ways back included."""

from pathlib import Path
from typing import cast

import pytest
import torch

from tests.tiny_models import tiny_gru, tiny_transformer
from tests.tiny_run import tiny_recipe, tiny_tokenizer, write_corpus
from training.batching import collate
from training.compare.flops import count_flops, embedding_parameters, measure_cost
from training.loss import LossConfig
from training.models.seq2seq import Seq2Seq, count_parameters
from training.objective import build_objective

BATCH = collate(
    [torch.randint(4, 20, (9,)).numpy() for _ in range(6)],
    [torch.randint(4, 20, (9,)).numpy() for _ in range(6)],
)


@pytest.mark.parametrize(
    "model",
    [
        tiny_transformer(d_model=64, d_ff=256, n_heads=2),
        tiny_gru(embedding_size=48, encoder_size=48, decoder_size=64, attention_size=32),
        tiny_gru(embedding_size=48, encoder_size=48, decoder_size=64, attention="none"),
    ],
    ids=["transformer", "gru", "no attention"],
)
def test_a_token_costs_about_six_operations_a_parameter(model: Seq2Seq) -> None:
    objective = build_objective(LossConfig(), tiny_tokenizer())
    flops = count_flops(model.train(), objective, [BATCH])
    matrices = (
        count_parameters(model) - 2 * model.vocab_size
    )  # embeddings are looked up, no product
    assert flops / BATCH.target_tokens == pytest.approx(6 * matrices, rel=0.3)
    twice = count_flops(model, objective, [BATCH, BATCH])
    assert twice == 2 * flops


def test_products_are_counted_by_hand() -> None:
    """A matrix times a matrix times a vector, and the slopes of both weights."""

    model = torch.nn.ParameterDict({"matrix": torch.ones(3, 5), "vector": torch.ones(5)})
    inputs = torch.ones(4, 3)

    def objective(*_: object) -> torch.Tensor:
        return torch.mv(inputs @ model["matrix"], model["vector"]).sum()

    found = count_flops(cast(Seq2Seq, model), objective, [BATCH])
    product, vector = 2 * 4 * 3 * 5, 2 * 4 * 5
    assert found == 2 * product + 2 * vector  # what slopes reach no input costs nothing


def test_embeddings_are_counted_once_where_they_are_tied() -> None:
    tied = tiny_transformer(vocab_size=20, d_model=16, tie_embeddings="three-way")
    assert embedding_parameters(tied) == 20 * 16
    apart = tiny_transformer(vocab_size=20, d_model=16, tie_embeddings="none")
    assert embedding_parameters(apart) == 3 * 20 * 16


def test_cost_is_of_the_corpus_and_the_same_again(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    recipe = tiny_recipe(tmp_path)
    cost = measure_cost(recipe, tiny_tokenizer())
    assert cost.flops == measure_cost(recipe, tiny_tokenizer()).flops > 1000
    assert cost.processor_s > 0
