"""CTranslate2 with the very weights of our Transformer, where that package is installed.

    pip install ctranslate2

It is the engine this project measures its decoding against; it has no recurrent models.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from tests.benchmarks.contestants import VOCAB_SIZE, Load
from training.models.positions import positional_encoding
from training.models.transformer import Transformer
from training.models.transformer_layers import DecoderLayer, EncoderLayer

try:
    import ctranslate2
    from ctranslate2.specs import common_spec, transformer_spec
except ModuleNotFoundError:
    ctranslate2 = None

INSTALLED = ctranslate2 is not None
POSITIONS = 256


def ctranslate2_decoders(
    model: Transformer, folder: Path, load: Load, threads: int
) -> dict[str, Callable[[], int]]:
    """The same load on CTranslate2, in its fp32 and its int8."""
    pieces = [[f"t{i}" for i in ids[:-1]] + ["</s>"] for ids in load.sources()]
    return {
        f"CTranslate2 {name}": _work(
            _translator(model, folder, compute_type, threads), pieces, load
        )
        for name, compute_type in (("fp32", "float32"), ("int8", "int8"))
    }


def _work(translator: Any, pieces: Sequence[Sequence[str]], load: Load) -> Callable[[], int]:
    def work() -> int:
        found = translator.translate_batch(
            pieces,
            beam_size=load.beam_size,
            min_decoding_length=load.tokens,
            max_decoding_length=load.tokens,
            length_penalty=1.0,
        )
        return sum(len(one.hypotheses[0]) for one in found)

    return work


def _translator(model: Transformer, folder: Path, compute_type: str, threads: int) -> Any:
    path = folder / f"ctranslate2-{compute_type}"
    if not path.is_dir():
        path.mkdir()
        spec = _specification(model)
        spec.validate()
        spec.optimize(quantization=None if compute_type == "float32" else compute_type)
        spec.save(str(path))
    return ctranslate2.Translator(
        str(path), compute_type=compute_type, intra_threads=threads, inter_threads=1
    )


def _specification(model: Transformer) -> Any:
    """Our weights under CTranslate2's names."""
    config = model.config
    spec = transformer_spec.TransformerSpec.from_config(
        (config.encoder_layers, config.decoder_layers),
        config.n_heads,
        pre_norm=config.norm == "pre",
        activation=common_spec.Activation.RELU,
    )
    positions = positional_encoding(torch.arange(POSITIONS), config.d_model).numpy()
    table = _array(model.src_embedding.weight)
    for half in (spec.encoder, spec.decoder):
        half.position_encodings.encodings = positions
        half.scale_embeddings = True
    spec.encoder.embeddings[0].weight = table
    spec.decoder.embeddings.weight = spec.decoder.projection.weight = table
    if config.norm == "pre":
        _norm(spec.encoder.layer_norm, model.encoder.norm)
        _norm(spec.decoder.layer_norm, model.decoder.norm)
    for target, layer in zip(spec.encoder.layer, model.encoder.layers, strict=True):
        _layer(target, cast(EncoderLayer, layer))
    for target, layer in zip(spec.decoder.layer, model.decoder.layers, strict=True):
        decoder_layer = cast(DecoderLayer, layer)
        _layer(target, decoder_layer)
        cross = decoder_layer.cross_attention
        for place, linear in zip(
            target.attention.linear, (cross.query, cross.key_value, cross.output), strict=True
        ):
            _linear(place, linear)
        _norm(target.attention.layer_norm, decoder_layer.cross_attention_residual.norm)
    pieces = ["<pad>", "<unk>", "<s>", "</s>", *(f"t{i}" for i in range(4, VOCAB_SIZE))]
    spec.register_source_vocabulary(pieces)
    spec.register_target_vocabulary(pieces)
    spec.config.decoder_start_token = spec.config.bos_token = "<s>"
    spec.config.eos_token = "</s>"
    spec.config.layer_norm_epsilon = 1e-5
    return spec


def _layer(target: Any, layer: EncoderLayer | DecoderLayer) -> None:
    """Self-attention and feed-forward, which both kinds of layers have."""
    _linear(target.self_attention.linear[0], layer.self_attention.qkv)
    _linear(target.self_attention.linear[1], layer.self_attention.output)
    _norm(target.self_attention.layer_norm, layer.self_attention_residual.norm)
    _linear(target.ffn.linear_0, layer.feed_forward.inner)
    _linear(target.ffn.linear_1, layer.feed_forward.outer)
    _norm(target.ffn.layer_norm, layer.feed_forward_residual.norm)


def _linear(target: Any, linear: nn.Linear) -> None:
    target.weight, target.bias = _array(linear.weight), _array(linear.bias)


def _norm(target: Any, norm: nn.Module) -> None:
    assert isinstance(norm, nn.LayerNorm)
    target.gamma, target.beta = _array(norm.weight), _array(norm.bias)


def _array(weights: torch.Tensor) -> np.ndarray:
    return weights.detach().numpy()
