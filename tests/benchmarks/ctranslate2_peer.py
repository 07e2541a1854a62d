"""CTranslate2 with the very weights of our Transformer, where that package is installed.

    pip install ctranslate2

It is the engine this project measures its decoding against; it has no recurrent models.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from tests.benchmarks.contestants import Load
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


# Of each precision those of its compute types that may be the fastest here.
COMPUTE_TYPES = {"fp32": ("float32",), "int8": ("int8", "int8_float32")}
TRIALS = 3


class CTranslate2:
    """The same model on CTranslate2, in one precision, with its fastest compute type."""

    def __init__(
        self, model: Transformer, folder: Path, precision: str, threads: int, load: Load
    ) -> None:
        """Convert the weights, and choose among the compute types by this load."""
        kinds = COMPUTE_TYPES[precision]
        translators = [converted(model, folder, kind, threads) for kind in kinds]
        self._translator = min(translators, key=lambda one: _seconds(one, load))

    def decode(self, load: Load) -> Callable[[], int]:
        """The work of one round."""
        return lambda: sum(map(len, _translate(self._translator, load)))

    def tokens(self, load: Load) -> list[list[int]]:
        """Ids of the best translations, to be compared with ours; not timed.

        What our search never emits must be forbidden here, which a model with random weights would
        often choose.
        """
        found = _translate(self._translator, load, [["<pad>"], ["<unk>"], ["<s>"]])
        return [[int(piece.removeprefix("t")) for piece in pieces] for pieces in found]


def translate_file(
    model: Transformer,
    folder: Path,
    precision: str,
    threads: int,
    sources: list[list[int]],
    beam: int,
) -> Callable[[int], list[list[int]]]:
    """The work of translating a file (ids with eos) to natural ends, in batches of a given size."""
    translator = converted(model, folder, COMPUTE_TYPES[precision][0], threads)
    pieces = [[*(f"t{i}" for i in ids[:-1]), "</s>"] for ids in sources]

    def work(batch: int) -> list[list[int]]:
        found = translator.translate_batch(
            pieces, beam_size=beam, max_batch_size=batch, length_penalty=1.0
        )
        best = [one.hypotheses[0] for one in found]
        return [[int(piece[1:]) for piece in ids if piece[0] == "t"] for ids in best]

    return work


def _seconds(translator: Any, load: Load) -> float:
    _translate(translator, load)
    began = time.perf_counter()
    for _ in range(TRIALS):
        _translate(translator, load)
    return time.perf_counter() - began


def _translate(
    translator: Any, load: Load, never: list[list[str]] | None = None
) -> list[list[str]]:
    found = translator.translate_batch(
        [[*(f"t{i}" for i in ids[:-1]), "</s>"] for ids in load.sources()],
        beam_size=load.beam_size,
        min_decoding_length=load.tokens,
        max_decoding_length=load.tokens,
        length_penalty=1.0,
        suppress_sequences=never,
    )
    return [one.hypotheses[0] for one in found]


def converted(model: Transformer, folder: Path, compute_type: str, threads: int) -> Any:
    """CTranslate2 on the weights of `model`, written into `folder` first."""
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
    pieces = ["<pad>", "<unk>", "<s>", "</s>", *(f"t{i}" for i in range(4, model.vocab_size))]
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
    return weights.detach().numpy().copy()  # quantisation writes into it
