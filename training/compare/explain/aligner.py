"""Word alignments by eflomal, the Bayesian HMM aligner of Östling & Tiedemann 2016.

It samples, and takes no seed: two runs differ in a link here and there. So what a report says of
alignments is computed once and kept.
"""

import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from subprocess import CalledProcessError

from mt.errors import ConfigError, EngineError
from training.compare.explain.links import Alignment, parse_links, symmetrise
from training.compare.explain.words import plain_words

NEEDED = "word alignments need eflomal and a C compiler: pip install 'seq2serve[align]'"


def align(sources: Sequence[str], targets: Sequence[str]) -> list[Alignment]:
    """Align lines with lines, all together: words that are rare in one text are learnt from all.

    Links are between places of `split_words`. An empty line has no links.

    Raises:
        ConfigError: eflomal is not installed.
        EngineError: eflomal failed.
    """
    lines = [
        (" ".join(plain_words(source)), " ".join(plain_words(target)))
        for source, target in zip(sources, targets, strict=True)
    ]
    full = [i for i, (source, target) in enumerate(lines) if source and target]
    aligned = [Alignment(frozenset(), frozenset()) for _ in lines]
    if not full:
        return aligned
    found = _run_eflomal([lines[i][0] for i in full], [lines[i][1] for i in full])
    for i, (forward, backward) in zip(full, found, strict=True):
        aligned[i] = symmetrise(parse_links(forward), parse_links(backward))
    return aligned


def aligner_name() -> str | None:
    """The aligner and its version; None where it is not installed."""
    try:
        import eflomal  # noqa: F401

        return f"eflomal {version('eflomal')}"
    except ModuleNotFoundError:
        return None


def _run_eflomal(sources: list[str], targets: list[str]) -> list[tuple[str, str]]:
    """Links of both directions, as text, of each line."""
    try:
        from eflomal import Aligner
    except ModuleNotFoundError:
        raise ConfigError(NEEDED) from None
    with tempfile.TemporaryDirectory() as folder:
        forward, backward = Path(folder) / "forward", Path(folder) / "backward"
        try:
            Aligner().align(
                sources,
                targets,
                links_filename_fwd=str(forward),
                links_filename_rev=str(backward),
            )
        except (OSError, CalledProcessError) as error:
            raise EngineError(f"eflomal failed ({type(error).__name__})") from None
        both = [path.read_text(encoding="utf-8").splitlines() for path in (forward, backward)]
    return list(zip(*both, strict=True))
