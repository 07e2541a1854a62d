"""One virtual environment a peer, below .venv-peers/: `make bench-training-peers`.

    python -m tests.benchmarks.training_peers.environments [PEER ...]

Each requirements file is complete, torch included, and is installed without dependencies: what the
toolkits declare would pull in an older torch or not fit together. A toolkit that does not install
is named with its reason, and the rest goes on.
"""

import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(".venv-peers")
REQUIREMENTS = Path(__file__).parent / "requirements"
COMPLETE = "installed.txt"  # a copy of the requirements, once they are in
PEERS = tuple(sorted(path.stem for path in REQUIREMENTS.glob("*.txt")))


def interpreter(peer: str, folder: Path = FOLDER) -> Path | None:
    """The Python of a peer's environment, None where that is not complete or not up to date."""
    complete = folder / peer / COMPLETE
    wanted = (REQUIREMENTS / f"{peer}.txt").read_text(encoding="utf-8")
    if not complete.is_file() or complete.read_text(encoding="utf-8") != wanted:
        return None
    return (folder / peer / "bin" / "python").absolute()


def install(peer: str, folder: Path = FOLDER) -> str | None:
    """Make or complete one environment; why it failed, in a line, or None."""
    if interpreter(peer, folder) is not None:
        return None
    requirements = REQUIREMENTS / f"{peer}.txt"
    venv.create(folder / peer, with_pip=True)
    pip = [str(folder / peer / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "-r", str(requirements)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "ERROR" in line]
        return (errors or done.stderr.splitlines() or ["pip failed"])[-1].strip()
    text = requirements.read_text(encoding="utf-8")
    (folder / peer / COMPLETE).write_text(text, encoding="utf-8")
    return None


def main() -> None:
    for peer in sys.argv[1:] or PEERS:
        failure = install(peer)
        print(f"{peer}: {f'left out, {failure}' if failure else 'ready'}", flush=True)


if __name__ == "__main__":
    main()
