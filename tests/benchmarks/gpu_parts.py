"""What the GPU benchmark does: its parts, their shares of the time, and the jobs of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.gpu_workers import Message


@dataclass(frozen=True)
class Machine:
    """What all jobs are told: real sizes on a GPU, or toys on a CPU."""

    device: str
    overrides: tuple[str, ...]
    seeds: int
    sentences: int | None  # of test sets; None: all
    speed_s: float  # of one row
    training_share: float  # of a part's time that goes into updates; the rest scores and starts

    def job(self, name: str, kind: str, recipe: str, *overrides: str, **more: Any) -> Message:
        """One job on a recipe."""
        together = [*self.overrides, *overrides]
        return {"name": name, "kind": kind, "recipe": recipe, "overrides": together, **more}

    def training(
        self, name: str, recipe: str, seconds: float, *overrides: str, follow_test: bool = False
    ) -> Message:
        """A run that trains for its share of these seconds and is scored five times on the way."""
        minutes = seconds * self.training_share / 60
        budget = [f"training.max_minutes={minutes:.9f}", "training.max_updates=1000000"]
        budget += ["schedule.curve=linear", "evaluation.every_updates=null"]
        budget += [f"evaluation.every_minutes={minutes / 5:.9f}"]
        told = {"follow_test": follow_test, "sentences": self.sentences}
        return self.job(name, "train", recipe, *budget, *overrides, **told)


EN_DE, EN_FR, TATOEBA = "multi30k-en-de", "multi30k-en-fr", "tatoeba-en-de"
SIZES = ("transformer-m", "transformer-s", "gru-m", "gru-s")


@dataclass(frozen=True)
class Row:
    """One row of the table of speeds."""

    size: str
    tokens: int
    compiled: bool
    whole_logits: bool = False


SHARED = Row("transformer-s", 8192, compiled=False)  # alone, and by several processes at once
GPU = Machine(
    device="cuda",
    overrides=(
        "training.device=cuda",
        "training.precision=bf16",
        "training.threads=1",
        "training.keep_at_minutes=[]",
        "evaluation.sentences=null",
    ),
    seeds=5,
    sentences=None,
    speed_s=1.0,
    training_share=0.55,
)
TOY = Machine(
    device="cpu",
    overrides=(
        "training.device=cpu",
        "training.threads=1",
        "training.max_epochs=1000",
        "corpus.train_pairs=200",
        "subwords.vocab_size=300",
        "evaluation.sentences=1",
        "batching.max_tokens=400",
    ),
    seeds=1,
    sentences=1,
    speed_s=0.01,
    training_share=1e-5,  # an update or two
)
TINY = {
    "demo-transformer": ("model.d_model=16", "model.d_ff=16", "model.n_heads=2"),
    "demo-gru": ("model.embedding_size=12", "model.encoder_size=10", "model.decoder_size=14"),
}
# Larger batches than the recipes', which are a CPU's, and learning rates to match
LARGER = {
    "transformer-s": ("batching.max_tokens=8192", "optimizer.learning_rate=5.0e-3"),
    "transformer-m": ("batching.max_tokens=8192", "optimizer.learning_rate=2.0e-3"),
    "gru-s": ("batching.max_tokens=8192", "optimizer.learning_rate=3.0e-3"),
}


@dataclass(frozen=True)
class Part:
    """Jobs that share the device; `share` is of the whole time, whatever its unit."""

    name: str
    share: float
    parallel: int
    corpora: tuple[str, ...]  # recipes whose corpora must be prepared
    jobs: Callable[[float], list[Message]]  # of the seconds it has


def gpu_parts() -> list[Part]:
    """All parts, real sizes, by value."""
    runs = 2 * GPU.seeds
    de, fr, tatoeba = ((f"{name}-transformer-m",) for name in (EN_DE, EN_FR, TATOEBA))
    return [
        Part("speed", 60, 1, de, lambda _: _gpu_speed((65536, 16384, 4096), compiled=False)),
        Part("curve", 90, 1, de, _gpu_curve),
        Part("sharing", 30, 5, de, lambda _: [_gpu_row(SHARED, number=n) for n in range(5)]),
        Part("seeds-de", 130, runs, de, lambda seconds: _gpu_seeds(EN_DE, seconds)),
        Part("compile", 80, 1, de, lambda _: _gpu_speed((65536, 4096), compiled=True)),
        Part("seeds-fr", 90, runs, fr, lambda seconds: _gpu_seeds(EN_FR, seconds)),
        Part("tatoeba", 60, 1, tatoeba, _gpu_tatoeba),
    ]


def _gpu_speed(batches: Sequence[int], compiled: bool) -> list[Message]:
    """The most wanted rows first; the first one also without chunks in the output layer."""
    rows = [Row(size, tokens, compiled) for tokens in batches for size in SIZES]
    rows.insert(1, Row(SIZES[0], batches[0], compiled, whole_logits=True))
    return [_gpu_row(row) for row in rows if row != SHARED] + [_gpu_row(SHARED)] * (not compiled)


def _gpu_row(row: Row, number: int = 0) -> Message:
    settings = f"batching.max_tokens={row.tokens}", f"training.compile={str(row.compiled).lower()}"
    told = {"whole_logits": row.whole_logits, "seconds": GPU.speed_s}
    if row == SHARED:
        told["seconds"] *= 5  # several processes do not begin at once
    return GPU.job(f"{row} {number}", "speed", f"{EN_DE}-{row.size}", *settings, **told)


def _gpu_curve(seconds: float) -> list[Message]:
    """Scored on both splits ten times."""
    recipe, often = f"{EN_DE}-transformer-m", f"{seconds * GPU.training_share / 600:.9f}"
    settings = (*LARGER["transformer-m"], f"evaluation.every_minutes={often}")
    return [GPU.training(f"{recipe}.alone", recipe, seconds, *settings, follow_test=True)]


def _gpu_seeds(corpus: str, seconds: float) -> list[Message]:
    return [
        GPU.training(
            f"{corpus}-{size}.seed{seed}",
            f"{corpus}-{size}",
            seconds,
            *LARGER[size],
            f"seed={seed}",
        )
        for seed in range(1, GPU.seeds + 1)
        for size in ("transformer-s", "gru-s")
    ]


def _gpu_tatoeba(seconds: float) -> list[Message]:
    recipe = f"{TATOEBA}-transformer-m"
    return [GPU.training(f"{recipe}.seed1", recipe, seconds, "batching.max_tokens=16384")]


def toy_parts() -> list[Part]:
    """The same kinds of jobs with toys."""
    both, corpus = tuple(TINY), ("demo-transformer",)

    def speed(_: float) -> list[Message]:
        told = {"whole_logits": True, "seconds": TOY.speed_s}
        return [TOY.job(f"{name}, toy", "speed", name, *TINY[name], **told) for name in both]

    def runs(part: str, seconds: float, recipes: Sequence[str]) -> list[Message]:
        follow = part == "curve"
        return [
            TOY.training(f"{name}.{part}", name, seconds, *TINY[name], follow_test=follow)
            for name in recipes
        ]

    return [
        Part("speed", 1, 1, corpus, speed),
        Part("sharing", 1, 1, corpus, lambda seconds: speed(seconds)[:1]),
        Part("curve", 1, 1, corpus, lambda seconds: runs("curve", seconds, both[:1])),
        Part("seeds-de", 1, 1, corpus, lambda seconds: runs("seeds-de", seconds, both[1:])),
    ]


def preparation(machine: Machine, recipe: str) -> Message:
    """The job that makes subwords and ids of a recipe's corpus."""
    return machine.job(recipe, "prepare", recipe)
