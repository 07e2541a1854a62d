"""One stack for both sentences: what it sees, where it stands, how large it is."""

import pytest
import torch
from pydantic import ValidationError

from mt.tokenizer import BOS_ID, EOS_ID
from tests.tiny_models import tiny_decoder_only
from training.models.decoder_only import DecoderOnlyConfig
from training.models.seq2seq import count_parameters

SRC = torch.tensor([[5, 6, 7, EOS_ID]])
OTHER_END = torch.tensor([[5, 6, 9, EOS_ID]])


@pytest.mark.parametrize(("mask", "sees"), [("prefix", True), ("causal", False)])
def test_source_words_see_later_ones_only_under_a_prefix_mask(mask: str, sees: bool) -> None:
    model = tiny_decoder_only(source_mask=mask)
    ours, others = (model.encode(src).memory["keys"][0, -1, :, 0] for src in (SRC, OTHER_END))
    assert torch.allclose(ours, others) is not sees


def test_the_target_goes_on_where_the_source_ends() -> None:
    """As one sequence under a causal mask: what the stack says of it all, read at once."""
    model = tiny_decoder_only(source_mask="causal")
    tgt = torch.tensor([[BOS_ID, 8, 9]])
    apart = model.hidden(SRC, tgt)
    whole = model.hidden(SRC[:, :1], torch.cat((SRC[:, 1:], tgt), 1))  # most of it as target
    torch.testing.assert_close(apart, whole[:, -3:], atol=1e-5, rtol=1e-5)


def test_one_table_reads_and_writes() -> None:
    tied, untied = (tiny_decoder_only(tie_embeddings=how) for how in ("two-way", "none"))
    assert tied.output.weight is tied.embedding.weight
    assert count_parameters(untied) - count_parameters(tied) == 20 * 16


@pytest.mark.parametrize("positions", ["relative", "recurrent"])
def test_positions_that_cannot_go_on_from_the_source(positions: str) -> None:
    with pytest.raises(ValidationError, match="positions"):
        DecoderOnlyConfig(layers=1, d_model=4, n_heads=1, d_ff=4, positions=positions)
