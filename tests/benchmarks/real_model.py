"""A trained model to measure with: the one that is named, or one that is trained here and now.

How long sentences become, and when they end, is a model's doing: random weights will not do.
"""

import argparse
import subprocess
import sys
from pathlib import Path

RECIPE = "multi30k-en-de-transformer-s"
MINUTES = 20  # of training: some 33 BLEU, and sentences that end where they should
RUN, BUNDLE = Path("build/bench/run"), Path("build/bench/bundle")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the run and the bundle, which go together."""
    parser.add_argument("run", type=Path, nargs="?", help=f"weights [train {RECIPE}]")
    parser.add_argument("bundle", type=Path, nargs="?", help="its export [export it]")


def make_sure(arguments: argparse.Namespace) -> None:
    """Train for a while and export where nothing was named; what an earlier call made is taken."""
    if arguments.run is None:
        arguments.run, arguments.bundle = RUN, BUNDLE
        if not (BUNDLE / "manifest.json").is_file():
            budget = ["--set", f"training.max_minutes={MINUTES}", "--out", str(RUN)]
            _seq2serve("train", RECIPE, *budget)
            _seq2serve("export", str(RUN), "--out", str(BUNDLE))
    elif arguments.bundle is None:
        raise SystemExit("name the bundle of that run as well, or neither")


def _seq2serve(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "mt", *arguments], check=True)
