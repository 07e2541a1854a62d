"""One HTML file that needs nothing else: styles, pictures, scripts and data are in it.

A content security policy in its head forbids every request and every script but the page's own
two, so a sentence of the corpus stays a sentence, whatever is written in it.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from training.compare.explain.explanations import Explanations
from training.compare.explain.words import split_words
from training.compare.outcome import Comparison
from training.compare.report.drawing import DARK, LIGHT, script
from training.compare.report.picture import Picture
from training.compare.report.result_tables import signatures
from training.compare.report.sections import Section, basis, main_contrasts, verdict

_HERE = Path(__file__).parent


def render(
    comparison: Comparison,
    explanations: Explanations,
    sections: Sequence[Section],
    svgs: Mapping[str, str],
) -> str:
    """The page; svgs: the static pictures by name."""
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined
    )
    environment.policies["json.dumps_kwargs"] = {}  # rows keep their order of columns
    contrasts = main_contrasts(comparison, explanations)
    js, vega = (_HERE / "page.js").read_text(encoding="utf-8"), script()
    return environment.get_template("page.html").render(
        title=comparison.name,
        subtitle=subtitle(comparison),
        headlines=verdict(comparison, explanations),
        verdicts=[contrast.verdict for contrast in contrasts],
        sections=sections,
        basis=basis(comparison, explanations),
        comparison=comparison,
        signatures=signatures(comparison.results),
        source_language=comparison.corpus.source,
        target_language=comparison.corpus.target,
        marked=marked,
        svg_uris={name: _data_uri(svg) for name, svg in svgs.items()},
        pictures={
            "themes": {"light": LIGHT, "dark": DARK},
            "pictures": {one.name: one.specification("container") for one in _all(sections)},
        },
        policy=_policy(vega, js),
        css=_trusted((_HERE / "page.css").read_text(encoding="utf-8")),
        vega=_trusted(vega),
        js=_trusted(js),
    )


def subtitle(comparison: Comparison) -> str:
    """What was compared, on what, how often."""
    systems = ", ".join(system.name for system in comparison.systems)
    corpus, seeds = comparison.corpus, len(comparison.seeds)
    return (
        f"{systems}: trained on {corpus.name}, {corpus.source} to {corpus.target}, "
        f"{seeds} seed{'s' if seeds > 1 else ''} each."
    )


def marked(text: str, reference: str) -> Iterator[tuple[str, bool]]:
    """The text in parts, and whether each is a word that the reference lacks."""
    left = Counter(word.text.lower() for word in split_words(reference))
    at = 0
    for word in split_words(text):
        if word.start > at:
            yield text[at : word.start], False
        known = left[word.text.lower()] > 0
        left[word.text.lower()] -= 1
        yield word.text, not known and word.is_letters
        at = word.end
    if at < len(text):
        yield text[at:], False


def _all(sections: Sequence[Section]) -> list[Picture]:
    return [one for part in sections for one in (*part.pictures, *part.small_pictures)]


def _policy(*scripts: str) -> str:
    """Nothing may be fetched; only these scripts may run (Vega compiles its expressions)."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'"
        for one in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes} 'unsafe-eval'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _data_uri(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _trusted(ours: str) -> Markup:
    """Our own files and Vega, which go in as they are."""
    return Markup(ours)  # nosec B704 # never a text from outside
