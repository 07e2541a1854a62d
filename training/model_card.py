"""MODEL_CARD.md of a bundle: from the facts of its manifest, and nothing else."""

from collections.abc import Iterable, Sequence

import yaml

from mt.bundle import Manifest
from training.models import FAMILIES


def model_card(manifest: Manifest) -> str:
    """The card as Markdown."""
    sections = (_head, _serve, _scores, _data, _parity, _quantization, _shortlist, _limits, _origin)
    return "\n\n".join(filter(None, (section(manifest) for section in sections))) + "\n"


def _head(manifest: Manifest) -> str:
    facts = [
        ("translates", f"{manifest.source_language} to {manifest.target_language}"),
        ("model", FAMILIES[manifest.family].title),
        ("parameters", f"{manifest.parameters:,}"),
        ("vocabulary", f"{manifest.vocab_size:,} subwords, both languages together"),
        ("graphs", f"{', '.join(manifest.graphs)}; {manifest.default_precision} by default"),
        ("licence of the training text", manifest.data.licence),
    ]
    return f"# {manifest.name}\n\n{_table(('', ''), facts)}"


def _serve(manifest: Manifest) -> str:
    body = f'{{"text": "...", "source": "{manifest.source_language}", '
    body += f'"target": "{manifest.target_language}"}}'
    return f"""## Use

```
seq2serve translate FOLDER FILE
seq2serve serve FOLDER
curl localhost:8000/v1/translate -H 'Content-Type: application/json' -d '{body}'
```

FOLDER is the folder of this card, with all of its files."""


def _scores(manifest: Manifest) -> str:
    if not manifest.scores:
        return "## Scores\n\nNone were measured before the export."
    columns = ("metric", "value", "test set", "weights", "signature")
    rows = [
        (s.metric, f"{s.value:.2f}", s.test_set, s.precision, f"`{s.signature}`")
        for s in manifest.scores
    ]
    return f"## Scores\n\n{_table(columns, rows)}"


def _data(manifest: Manifest) -> str:
    data = manifest.data
    text = f"## Training text\n\n{data.name}, {data.train_pairs:,} sentence pairs; {data.licence}."
    files = [(name, f"`{digest}`") for name, digest in sorted(data.sha256.items())]
    return f"{text}\n\n{_table(('file', 'sha256'), files)}" if files else text


def _parity(manifest: Manifest) -> str:
    checks = manifest.parity.get("checks", [])
    if not checks:
        return ""
    columns = ("graphs", "beam", "sentences", "identical", "tied", "BLEU", "BLEU of PyTorch")
    rows = [
        (
            *(check["precision"], check["beam_size"], check["sentences"]),
            *(check["identical"], check["tied"]),
            *(f"{check['bleu']:.2f}", f"{check['torch_bleu']:.2f}"),
        )
        for check in checks
    ]
    head = f"Translations of {manifest.parity['sentences_of']} compared with those of PyTorch."
    return f"## Parity\n\n{head}\n\n{_table(columns, rows)}"


def _quantization(manifest: Manifest) -> str:
    sections = []
    for precision, facts in manifest.quantization.items():
        saturated = max(layer["saturated"] for layer in facts["layers"].values())
        sections.append(
            f"## {precision}\n\n{facts['method']}. Activations: {facts['activations']}; weights: "
            f"{facts['weights']}. {len(facts['layers'])} linear layers, calibrated on "
            f"{facts['calibration_sentences']} sentences; on others the ranges cut off at most "
            f"{saturated:.4%} of what a layer reads."
        )
    return "\n\n".join(sections)


def _shortlist(manifest: Manifest) -> str:
    costs, files = manifest.parity.get("shortlist", []), manifest.shortlist
    if files is None or not costs:
        return ""
    columns = ("graphs", "beam", "ids a sentence", "same", "BLEU", "without", "ms", "without")
    rows = [
        (
            *(cost["precision"], cost["beam_size"], f"{cost['listed']:.0f}"),
            *(f"{cost['identical']} of {cost['sentences']}", f"{cost['bleu']:.2f}"),
            f"{cost['full_bleu']:.2f}",
            *(f"{cost['step_ms']:.3f}", f"{cost['full_step_ms']:.3f}"),
        )
        for cost in costs
    ]
    origin = files.origin
    head = (
        f"{origin['method']} on {origin['pairs']:,} sentence pairs: the {origin['best']} best of "
        f"each source piece, and the {origin['frequent']} most frequent. It is off unless "
        f"`engine.shortlist` is true. Measured on {manifest.parity['sentences_of']}; ms: of a "
        f"decoding step of {costs[0]['together']} sentences."
    )
    return f"## Vocabulary shortlist\n\n{head}\n\n{_table(columns, rows)}"


def _limits(manifest: Manifest) -> str:
    return f"""## Limits

- One sentence at a time: no context reaches from one to the next.
- Sentences up to {manifest.max_source_tokens} subwords, translations up to \
{manifest.max_target_tokens}; training saw no longer ones.
- It has read {manifest.data.name} and nothing else: other kinds of text may come out wrong, and a \
fluent translation is no sign of a right one.
- It was not tested for bias or for harmful output."""


def _origin(manifest: Manifest) -> str:
    recipe = yaml.safe_dump(manifest.recipe, sort_keys=False, allow_unicode=True)
    versions = ", ".join(f"{name} {number}" for name, number in manifest.created_with.items())
    return f"""## Origin

Checkpoint `{manifest.checkpoint_sha256}`, ONNX opset {manifest.opset}; {versions}. The recipe:

```yaml
{recipe}```"""


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
