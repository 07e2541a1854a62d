"""The `model` section of recipes whose layers attend: sizes and choices, each with its source."""

from typing import Literal, Self

from pydantic import Field, model_validator

from training.models.family import ModelConfig
from training.models.tying import Tying

Positions = Literal["sinusoidal", "learned", "relative", "rotary", "recurrent", "none"]
Norm = Literal["pre", "post"]
NormType = Literal["layer", "rms"]
Activation = Literal["relu", "gelu", "swiglu"]


class StackConfig(ModelConfig):
    """What any stack of attending layers is made of; Vaswani et al. 2017 unless said otherwise."""

    d_model: int = Field(ge=2)
    n_heads: int = Field(ge=1)
    d_ff: int = Field(
        ge=1, description="inner width of the feed-forward layers; SwiGLU has two of it"
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="on embeddings and every sub-layer")
    attention_dropout: float = Field(0.0, ge=0, lt=1, description="on attention weights")
    word_dropout: float = Field(0.0, ge=0, lt=1, description="on whole words of both sides")
    activation: Activation = Field(
        "relu", description="gelu: Hendrycks and Gimpel 2016; swiglu: Shazeer 2020"
    )
    norm: Norm = Field("post", description="before or after each sub-layer: Xiong et al. 2020")
    norm_type: NormType = Field(
        "layer", description="layer: Ba et al. 2016; rms: Zhang and Sennrich 2019"
    )
    positions: Positions = Field(
        "sinusoidal",
        description="learned: Gehring et al. 2017; relative: Shaw et al. 2018; rotary: Su et al. "
        "2021; recurrent: a GRU in the input layer; none: for ablations",
    )
    max_positions: int = Field(
        512, ge=1, description="of learned positions; tokens further on share the last"
    )
    max_distance: int = Field(
        16, ge=1, description="of relative positions; tokens further apart share the last"
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.d_model % self.n_heads:
            raise ValueError("d_model must be a multiple of n_heads")
        if self.d_model % 2:
            raise ValueError("d_model must be even: positions are pairs of sine and cosine")
        if self.positions == "rotary" and self.d_head % 2:
            raise ValueError("rotary positions turn pairs: d_model / n_heads must be even")
        return self

    @property
    def d_head(self) -> int:
        """Width of one head."""
        return self.d_model // self.n_heads


class EncoderConfig(StackConfig):
    """A stack that encodes, whatever decodes."""

    encoder_layers: int = Field(ge=1)


class TransformerConfig(EncoderConfig):
    """A Transformer; the paper's is post-norm, ReLU, sinusoids, three-way tying."""

    family: Literal["transformer"] = "transformer"
    decoder_layers: int = Field(ge=1, description="fewer than of the encoder decode faster")
    tie_embeddings: Tying = Field(
        "three-way", description="two-way: decoder input = output; three-way: encoder input as well"
    )
