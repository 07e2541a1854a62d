"""Vaswani et al. 2017 by hand-worked numbers and published sizes."""

import math

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import nn

from tests.tiny_models import tiny_transformer
from training.models import attention
from training.models.attention import (
    attend,
    attend_by_products,
    attention_weights,
    merge_heads,
    split_heads,
)
from training.models.positions import positional_encoding
from training.models.seq2seq import count_parameters
from training.models.transformer import Transformer
from training.models.transformer_config import TransformerConfig
from training.models.transformer_layers import FeedForward, Residual

SMALL = {"encoder_layers": 4, "decoder_layers": 4, "d_model": 128, "n_heads": 4, "d_ff": 256}
MEDIUM = {"encoder_layers": 3, "decoder_layers": 3, "d_model": 256, "n_heads": 4, "d_ff": 1024}
TWO = {"encoder_layers": 1, "decoder_layers": 1, "d_model": 2, "n_heads": 1, "d_ff": 2}


@pytest.mark.parametrize(
    ("sizes", "vocab_size", "parameters"),
    [(SMALL, 8_000, 2_349_056), (SMALL, 10_000, 2_605_056), (MEDIUM, 8_000, 7_577_600)],
)
def test_sizes_are_the_published_ones(
    sizes: dict[str, int], vocab_size: int, parameters: int
) -> None:
    assert count_parameters(Transformer(TransformerConfig(**sizes), vocab_size)) == parameters


def test_pre_norm_adds_a_final_norm_to_each_stack() -> None:
    extra = count_parameters(tiny_transformer(norm="pre")) - count_parameters(tiny_transformer())
    assert extra == 2 * 2 * 16


def test_tying_shares_tables() -> None:
    table = 20 * 16
    three = tiny_transformer(tie_embeddings="three-way")
    two = tiny_transformer(tie_embeddings="two-way")
    none = tiny_transformer(tie_embeddings="none")
    assert three.src_embedding is three.tgt_embedding
    assert two.src_embedding.weight is not two.tgt_embedding.weight
    assert three.output.weight is three.tgt_embedding.weight
    assert two.output.weight is two.tgt_embedding.weight
    assert count_parameters(two) == count_parameters(three) + table
    assert count_parameters(none) == count_parameters(three) + 2 * table


def test_positions_are_the_papers_sinusoids() -> None:
    encoded = positional_encoding(torch.tensor([0, 3]), d_model=4)
    # 10000^(0/4) = 1 and 10000^(2/4) = 100 divide the position
    expected = [[0, 1, 0, 1], [math.sin(3), math.cos(3), math.sin(0.03), math.cos(0.03)]]
    torch.testing.assert_close(encoded, torch.tensor(expected), rtol=0, atol=1e-6)


def test_no_table_bounds_the_positions() -> None:
    far = positional_encoding(torch.tensor([[100_000]]), d_model=2)
    expected = torch.tensor([[[math.sin(100_000), math.cos(100_000)]]])
    torch.testing.assert_close(far, expected, rtol=0, atol=1e-4)


def test_embeddings_are_scaled_before_positions_are_added() -> None:
    model = tiny_transformer()
    ids, positions = torch.tensor([[7]]), torch.tensor([0])
    embedded, _ = model.embed(model.src_embedding, model.src_positions, ids, positions)
    expected = 4 * model.src_embedding.weight[7] + torch.tensor([0.0, 1.0] * 8)  # sqrt(16) = 4
    torch.testing.assert_close(embedded[0, 0], expected)


def test_attention_by_hand() -> None:
    query = torch.tensor([[[[1.0, 0.0, 0.0, 0.0]]]])  # d_head 4: scores are halved
    keys = torch.tensor([[[[2 * math.log(3), 9, 9, 9], [0, 9, 9, 9], [50, 0, 0, 0]]]])
    values = torch.tensor([[[[4.0, 0, 1, 0], [0.0, 4, 1, 0], [99.0, 99, 99, 99]]]])
    mask = torch.tensor([[True, True, False]])
    # scores log 3 and 0: weights 3/4 and 1/4, the third is masked
    weights = attention_weights(query, keys, mask)
    torch.testing.assert_close(weights, torch.tensor([[[[0.75, 0.25, 0.0]]]]))
    context = attend(query, keys, values, mask, dropout=0.0)
    torch.testing.assert_close(context, torch.tensor([[[[3.0, 1.0, 1.0, 0.0]]]]))


def test_a_query_that_may_attend_nowhere_gets_zero() -> None:
    x = torch.randn(1, 2, 3, 4)
    mask = torch.zeros(1, 1, 3, 3, dtype=torch.bool)
    assert attend(x, x, x, mask, dropout=0.0).abs().max() == 0
    assert attention_weights(x, x, mask).abs().max() == 0


def test_without_a_mask_no_query_sees_a_later_key() -> None:
    torch.manual_seed(2)
    query, keys, values = torch.randn(3, 2, 2, 5, 4).unbind()
    earlier = torch.ones(5, 5, dtype=torch.bool).tril()
    torch.testing.assert_close(
        attend(query, keys, values, None, dropout=0.0),
        attend(query, keys, values, earlier, dropout=0.0),
    )


@pytest.mark.parametrize("is_masked", [True, False])
def test_two_products_are_the_fused_kernel(is_masked: bool) -> None:
    torch.manual_seed(2)
    q, k, v = parts = tuple(
        torch.randn(3, 2, 5, 4, dtype=torch.float64, requires_grad=True) for _ in range(3)
    )
    mask = torch.rand(3, 1, 1, 5) < 0.7 if is_masked else None
    fused = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
    plain = attend_by_products(q, k, v, mask, dropout=0.0)
    torch.testing.assert_close(plain, fused, rtol=1e-12, atol=1e-12)
    slope = torch.randn_like(plain)
    found = torch.autograd.grad(plain, parts, slope)
    for mine, theirs in zip(found, torch.autograd.grad(fused, parts, slope), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-11, atol=1e-11)


def test_two_products_drop_weights_as_the_fused_kernel_does() -> None:
    torch.manual_seed(2)
    one = torch.ones(64, 4, 8, 8)
    context = attend_by_products(one, one, one, None, dropout=0.25)
    assert context.mean().item() == pytest.approx(1, abs=0.05)  # what is left is scaled up
    assert context.std() > 0.1


def test_bfloat16_on_a_cpu_attends_by_products(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(1, 2, 5, 4)
    monkeypatch.setattr(attention, "wide_products_are_on", lambda: False)
    assert attention.products_pay(x.bfloat16())
    assert not attention.products_pay(x)
    assert not attention.products_pay(x.to("meta", torch.bfloat16))
    monkeypatch.setattr(attention, "wide_products_are_on", lambda: True)
    assert attention.products_pay(x)
    exact = F.scaled_dot_product_attention(x, x, x, is_causal=True)
    low = attend(x.bfloat16(), x.bfloat16(), x.bfloat16(), None, dropout=0.0)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), exact, rtol=0.02, atol=0.02)


def test_heads_are_split_in_order_and_merged_back() -> None:
    packed = torch.arange(12.0).view(1, 1, 12)
    queries, keys = split_heads(packed, n_heads=3, parts=2)
    assert queries.tolist() == [[[[0, 1]], [[2, 3]], [[4, 5]]]]
    assert keys.tolist() == [[[[6, 7]], [[8, 9]], [[10, 11]]]]
    assert merge_heads(keys).tolist() == [[[6, 7, 8, 9, 10, 11]]]


@pytest.mark.parametrize(
    ("activation", "expected"),
    [("relu", 3 * 2.0), ("gelu", 3 * 2.0 * 0.9772499 - 1.0 * 0.1586553)],
)
def test_feed_forward_by_hand(activation: str, expected: float) -> None:
    layer = FeedForward(TransformerConfig(**TWO, activation=activation))
    with torch.no_grad():
        layer.inner.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        layer.inner.bias.copy_(torch.tensor([1.0, -2.0]))
        layer.outer.weight.copy_(torch.tensor([[3.0, 1.0], [0.0, 0.0]]))
        layer.outer.bias.zero_()
        # inner gives 2 and -1: ReLU keeps 2; GELU x * Phi(x) keeps 2 * 0.977 and -1 * 0.159
        assert layer(torch.tensor([1.0, 1.0]))[0].item() == pytest.approx(expected, rel=1e-6)


def test_gated_feed_forward_by_hand() -> None:
    layer = FeedForward(TransformerConfig(**TWO | {"d_ff": 1}, activation="swiglu"))
    with torch.no_grad():
        layer.inner.weight.copy_(torch.tensor([[2.0, 0.0], [0.0, 3.0]]))  # gate, then value
        layer.outer.weight.copy_(torch.tensor([[1.0], [0.0]]))
        for linear in (layer.inner, layer.outer):
            linear.bias.zero_()
        # gate 2, value 3: SiLU(2) = 2 / (1 + e^-2)
        found = layer(torch.tensor([1.0, 1.0]))[0].item()
    assert found == pytest.approx(3 * 2 / (1 + math.exp(-2)))


def test_rms_norm_neither_centres_nor_shifts() -> None:
    around = Residual(TransformerConfig(**TWO, norm_type="rms", dropout=0.0))
    found = around.leave(torch.tensor([3.0, 1.0]), torch.tensor([0.0, 3.0]))
    mean_square = (9 + 16) / 2
    torch.testing.assert_close(found, torch.tensor([3.0, 4.0]) / math.sqrt(mean_square))
    assert [name for name, _ in around.named_parameters()] == ["norm.weight"]


def test_norm_stands_before_or_after_the_sum() -> None:
    x, y = torch.tensor([3.0, 1.0]), torch.tensor([1.0, 5.0])
    post = Residual(TransformerConfig(**TWO, norm="post", dropout=0.0))
    pre = Residual(TransformerConfig(**TWO, norm="pre", dropout=0.0))
    torch.testing.assert_close(post.enter(x), x)
    torch.testing.assert_close(post.leave(x, y), torch.tensor([-1.0, 1.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(pre.enter(x), torch.tensor([1.0, -1.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(pre.leave(x, y), torch.tensor([4.0, 6.0]))


def test_packed_projections_are_initialised_like_square_ones() -> None:
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(**SMALL), 50)
    bound = math.sqrt(6 / (128 + 128))  # Xavier, uniform
    for name in ("self_attention.qkv", "cross_attention.key_value"):
        largest = model.decoder.get_parameter(f"layers.0.{name}.weight").abs().max().item()
        assert 0.99 * bound < largest <= bound


def test_embeddings_start_with_unit_length() -> None:
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(**SMALL, tie_embeddings="none"), 500)
    for table in (model.src_embedding, model.tgt_embedding, model.output):
        assert table.weight.norm(dim=1).mean().item() == pytest.approx(1, abs=0.02)


def test_every_number_that_is_saved_is_a_parameter() -> None:
    model = tiny_transformer(tie_embeddings="none")
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}


def test_dropout_acts_in_training_only() -> None:
    model = tiny_transformer(dropout=0.5, attention_dropout=0.5)
    src, tgt_in = torch.tensor([[5, 6, 3]]), torch.tensor([[2, 7]])
    assert torch.equal(model(src, tgt_in), model(src, tgt_in))
    model.train()
    assert not torch.equal(model(src, tgt_in), model(src, tgt_in))


def test_attention_dropout_drops_weights() -> None:
    model = tiny_transformer(dropout=0.0, attention_dropout=0.9).train()
    src, tgt_in = torch.tensor([[5, 6, 3]]), torch.tensor([[2, 7]])
    assert not torch.equal(model(src, tgt_in), model(src, tgt_in))


def test_a_longer_sentence_than_any_in_training_is_encoded() -> None:
    encoded = tiny_transformer().encode(torch.full((1, 3000), 5))
    assert encoded.memory["keys"].shape == (1, 2, 2, 3000, 8)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_heads": 3}, "multiple of n_heads"),
        ({"d_model": 5, "n_heads": 5}, "must be even"),
        ({"dropout": 1.0}, "less than 1"),
        ({"norm": "both"}, "'pre' or 'post'"),
        ({"heads": 2}, "Extra inputs"),
    ],
)
def test_impossible_sizes_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TransformerConfig(**SMALL | wrong)


def test_linear_layers_cover_every_matrix_but_the_embeddings() -> None:
    model = tiny_transformer(tie_embeddings="none")
    linear = {id(m.weight) for m in model.modules() if isinstance(m, nn.Linear)}
    others = {n for n, p in model.named_parameters() if p.dim() == 2 and id(p) not in linear}
    assert others == {"src_embedding.weight", "tgt_embedding.weight"}
