"""From a checkpoint to a bundle: build the graphs, prove parity, then write all or nothing."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple, Self

import torch
from pydantic import Field, model_validator

from mt import bundle as bundles
from mt.bundle import NAME_PATTERN, Bundle, Data, Manifest, SpecialIds
from mt.config import Strict, validate
from mt.stepper import runtime
from mt.tokenizer import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Tokenizer
from training.console import Progress
from training.corpora.corpus import Corpus, open_corpus
from training.corpora.pair import Pair
from training.dataset import read_facts
from training.export.families import build_graphs, build_shortlist_graphs
from training.export.graph import HALF, OPSET, SINGLE, Arithmetic
from training.export.parity import BEAM_SIZES, LARGEST_LOSS, TIE, Agreement, Reference, require
from training.export.quantize import Quantization, Sentence, quantize
from training.export.shortlist import LearntShortlist, ShortlistPlan, learn_shortlist, sample
from training.export.shortlist_cost import ShortlistCost, Trial
from training.export.signature import SHORTLIST, Limits, file_names, shortlist_files
from training.model_card import model_card
from training.models.seq2seq import count_parameters
from training.prepare import DATA
from training.recipe import to_values
from training.stepper import TorchStepper
from training.trained import Trained, load_trained

Precision = Literal["fp32", "int8", "fp16"]
FP32: Precision = "fp32"
FP16: Precision = "fp16"
INT8: Precision = "int8"
PRECISIONS = (INT8, FP32)
MAX_POSITIONS = 1024  # rows of the position tables; the manifest's limits may be lower
MAX_TARGET_TOKENS = 256  # as in the search that scores checkpoints
PARITY_SENTENCES = 1000  # by 500, one of three models that lose 0.07 BLEU was refused
CALIBRATION_SENTENCES = 256


def export(
    checkpoint: Path,
    out: Path,
    precisions: Sequence[str] = PRECISIONS,
    default_precision: str | None = None,
    name: str | None = None,
    largest_loss: float = LARGEST_LOSS,
    shortlist: ShortlistPlan | None = None,
) -> Bundle:
    """Write the bundle of a run or checkpoint, whole or not at all, and open it.

    default_precision: what is served unless another is asked for (None: the first of precisions);
    name: what clients ask for (None: the recipe's); largest_loss: the most BLEU that 8 bits may
    cost on the sentences of the parity check; shortlist: learn a vocabulary shortlist, and report
    what it costs and saves.

    Raises:
        ConfigError: an unknown precision, a default that is not to be written, or a bad name.
        CheckpointError: there is no trained model, or it is damaged.
        CorpusError: the validation text cannot be had, or is cut from other files than it was.
        BundleError: the graphs do not translate as the checkpoint does, or `out` is no bundle.
    """
    wanted = {
        "precisions": precisions,
        "default_precision": default_precision or next(iter(precisions), INT8),
        "name": name,
        "largest_loss": largest_loss,
    }
    plan = validate(wanted, Plan, where="export")
    bundles.check_replaceable(out)
    trained = load_trained(checkpoint)
    corpus = open_corpus(trained.recipe.corpus)
    corpus.check_cut(trained.origin.corpus_sha256)
    pairs = corpus.pairs(trained.recipe.evaluation.split)
    validation = list(islice(pairs, PARITY_SENTENCES + CALIBRATION_SENTENCES))
    data = Data(
        name=f"{corpus.name}:{corpus.source}-{corpus.target}",
        licence=corpus.licence,
        sha256=trained.origin.corpus_sha256,
        train_pairs=_train_pairs(checkpoint, trained, corpus),
    )
    learnt = None
    if shortlist is not None:
        sampled = sample(corpus.train_pairs(), data.train_pairs, trained.tokenizer)
        learnt = learn_shortlist(sampled, trained.tokenizer.vocab_size, shortlist)
    return assemble(trained, data, validation, out, plan, learnt)


class Plan(Strict):
    """What is wanted of a bundle."""

    precisions: tuple[Precision, ...] = Field(min_length=1)
    default_precision: Precision
    name: str | None = Field(pattern=NAME_PATTERN)
    largest_loss: float = Field(ge=0)

    @model_validator(mode="after")
    def _serves_what_it_writes(self) -> Self:
        if self.default_precision not in self.precisions:
            raise ValueError(f"default_precision {self.default_precision} is not to be written")
        return self


def assemble(
    trained: Trained,
    data: Data,
    validation: Sequence[Pair],
    out: Path,
    plan: Plan,
    learnt: LearntShortlist | None = None,
) -> Bundle:
    """Export a model that is loaded; `validation` pairs prove parity and calibrate 8 bits.

    learnt: the bundle's vocabulary shortlist; None: it gets none.

    Raises:
        BundleError: as for `export`.
    """
    proving, calibrating = parts(validation)
    quantization = None
    if INT8 in plan.precisions:
        sentences = [_as_read(trained.tokenizer, pairs) for pairs in (calibrating, proving)]
        quantization = quantize(trained.model, *sentences)
    files = _files(trained, quantization, plan, learnt)
    manifest = _manifest(trained, data, quantization, plan, learnt)
    proof = _prove(trained, proving, files, manifest)
    require(proof.agreements, plan.largest_loss)
    parity = _report(proof, data, trained)
    return _write(out, files, manifest.model_copy(update={"parity": parity}))


def parts(validation: Sequence[Pair]) -> tuple[Sequence[Pair], Sequence[Pair]]:
    """Pairs that prove parity and pairs that calibrate 8 bits: others, where there are enough."""
    if len(validation) < 2 * CALIBRATION_SENTENCES:
        return validation, validation[-CALIBRATION_SENTENCES:]
    proving, calibrating = validation[:-CALIBRATION_SENTENCES], validation[-CALIBRATION_SENTENCES:]
    return proving[:PARITY_SENTENCES], calibrating


def _files(
    trained: Trained,
    quantization: Quantization | None,
    plan: Plan,
    learnt: LearntShortlist | None,
) -> dict[str, bytes]:
    """Tokenizer, graphs and shortlist."""
    never = trained.tokenizer.never_emitted()
    limits = Limits(max(MAX_POSITIONS, trained.recipe.batching.max_length), never)
    files = {bundles.TOKENIZER: trained.tokenizer.model}
    for precision in plan.precisions:
        arithmetic = HALF if precision == FP16 else SINGLE
        if precision == INT8 and quantization is not None:
            arithmetic = Arithmetic(quantization.by_layer(trained.model))
        files |= build_graphs(trained.model, arithmetic, limits).files(precision)
        if learnt is not None:
            files |= build_shortlist_graphs(trained.model, arithmetic, limits).files(precision)
    if learnt is not None:
        files[SHORTLIST] = learnt.shortlist.to_bytes()
    return files


def _manifest(
    trained: Trained,
    data: Data,
    quantization: Quantization | None,
    plan: Plan,
    learnt: LearntShortlist | None,
) -> Manifest:
    """All facts but parity and the files themselves, which `mt.bundle.write` adds."""
    recipe = trained.recipe
    return Manifest(
        name=plan.name or recipe.name,
        family=recipe.model.family,
        source_language=recipe.corpus.source,
        target_language=recipe.corpus.target,
        vocab_size=trained.tokenizer.vocab_size,
        special_ids=SpecialIds(pad=PAD_ID, unk=UNK_ID, bos=BOS_ID, eos=EOS_ID),
        max_source_tokens=recipe.batching.max_length,
        max_target_tokens=MAX_TARGET_TOKENS,
        parameters=count_parameters(trained.model),
        opset=OPSET,
        graphs={precision: file_names(precision) for precision in plan.precisions},
        default_precision=plan.default_precision,
        shortlist=shortlist_files(plan.precisions, learnt.origin) if learnt else None,
        quantization={} if quantization is None else {INT8: quantization.values()},
        recipe=to_values(recipe),
        checkpoint_sha256=trained.sha256,
        data=data,
        scores=trained.scores,
        created_with=_versions(),
        files={},
    )


class Proof(NamedTuple):
    """What was measured of a bundle before it is written."""

    agreements: list[Agreement]
    shortlist_costs: list[ShortlistCost]


def _prove(
    trained: Trained, pairs: Sequence[Pair], files: Mapping[str, bytes], manifest: Manifest
) -> Proof:
    """Translate with PyTorch and with the graphs, run as serving will run them."""
    threads, listed = torch.get_num_threads(), manifest.shortlist is not None
    n_runs = len(BEAM_SIZES) * (1 + (3 if listed else 1) * len(manifest.graphs))
    proof = Proof([], [])
    with TemporaryDirectory() as folder, Progress(f"export {manifest.name}") as bar:
        finished = _Counter(bar, n_runs * len(pairs))
        draft = _write(Path(folder) / manifest.name, files, manifest)
        torch_stepper = TorchStepper(trained.model, trained.tokenizer.never_emitted())
        limit = manifest.max_source_tokens
        reference = Reference(pairs, trained.tokenizer, torch_stepper, limit, finished)
        for precision in manifest.graphs:
            stepper = runtime()(draft, precision, threads)
            proof.agreements.extend(reference.compare(precision, stepper, finished))
            if listed:
                short = runtime()(draft, precision, threads, shortlist=True)
                costs = Trial(reference, draft.shortlist(), stepper, short)
                proof.shortlist_costs.extend(costs.measure(precision, finished))
    return proof


class _Counter:
    """Moves a bar on with every sentence that is finished."""

    def __init__(self, bar: Progress, total: int) -> None:
        self._bar, self._total, self._done = bar, total, 0

    def __call__(self, finished: int) -> None:
        self._done += finished
        self._bar.update(self._done / self._total, "comparing translations with PyTorch's")


def _report(proof: Proof, data: Data, trained: Trained) -> dict[str, object]:
    """The parity report of the manifest."""
    report: dict[str, object] = {
        "reference": f"torch {version('torch')}",
        "sentences_of": f"{data.name}:{trained.recipe.evaluation.split}",
        "tie_nats": TIE,
        "checks": [agreement.values() for agreement in proof.agreements],
    }
    if proof.shortlist_costs:
        report["shortlist"] = [asdict(cost) for cost in proof.shortlist_costs]
    return report


def _write(folder: Path, files: Mapping[str, bytes], manifest: Manifest) -> Bundle:
    card = {bundles.MODEL_CARD: model_card(manifest).encode()}
    return bundles.write(folder, {**files, **card}, manifest.model_dump(exclude={"files"}))


def _as_read(tokenizer: Tokenizer, pairs: Sequence[Pair]) -> list[Sentence]:
    """Ids of pairs as teacher forcing reads them."""
    return [(tokenizer.encode_source(p.src), [BOS_ID, *tokenizer.encode(p.tgt)]) for p in pairs]


def _train_pairs(checkpoint: Path, trained: Trained, corpus: Corpus) -> int:
    """Pairs trained on: as noted in the run, else counted again."""
    for run in (checkpoint, *checkpoint.resolve().parents[:2]):
        facts = read_facts(run / DATA)
        if facts and facts.made_from["tokenizer"] == trained.origin.tokenizer_sha256:
            return facts.pairs
    return sum(1 for _ in corpus.train_pairs())


def _versions() -> dict[str, str]:
    """What made the bundle."""
    packages = ("seq2serve", "torch", "onnx", "onnxruntime-gpu", "sacrebleu", "sentencepiece")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
