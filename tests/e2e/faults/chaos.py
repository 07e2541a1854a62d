"""The long forms: faults for minutes, and what they did, as JSON.

python -m tests.e2e.faults.chaos [NAME...] [--scale 1.0] [--out FOLDER]

Names: overload, models, disconnects, sigterm, slow-loris, training, and on Ray Serve replicas,
controller, proxy, updates, bad-update, drain; none: all of them. Each writes NAME.json. A scale of
0.1 takes about a tenth of the time. What came of them once: tests/e2e/faults/RESULTS.md.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.e2e.faults import results
from tests.e2e.faults.disconnects import disconnects
from tests.e2e.faults.draining import draining
from tests.e2e.faults.model_kills import model_kills
from tests.e2e.faults.overload import overload
from tests.e2e.faults.ray_faults import bad_update, drain, kills, updates
from tests.e2e.faults.ray_served import CONTROLLER, PROXY, REPLICA, RayServed, ray_served
from tests.e2e.faults.slow_loris import slow_loris
from tests.e2e.faults.training_kills import training_kills

EVERY_S = 20.0  # for replicas; the others are back sooner
SOONER_S = 10.0
Scaled = Callable[[int], int]
Found = Mapping[str, Any]


def _training(scaled: Scaled) -> Found:
    with TemporaryDirectory() as folder:
        return training_kills(Path(folder), kills=scaled(20)).report()


EMBEDDED: Mapping[str, Callable[[Scaled], Found]] = {
    "overload": lambda n: overload(10.0, float(n(120)), 5.0, max_waiting=512).report(),
    "disconnects": lambda n: disconnects(n(1000)).report(),
    "models": lambda n: model_kills(n(20), EVERY_S / 2, 30.0).report(),
    "sigterm": lambda n: {"runs": [draining(seed).report() for seed in range(n(20))]},
    "slow-loris": lambda n: slow_loris(n(1000), patience_s=30.0, load_s=15.0).report(),
    "training": _training,
}
ON_RAY: Mapping[str, Callable[[RayServed, Scaled], Found]] = {
    "replicas": lambda s, n: kills(s, REPLICA, n(15), EVERY_S).report(),
    "controller": lambda s, n: kills(s, CONTROLLER, n(5), SOONER_S, retrying=False).report(),
    "proxy": lambda s, n: kills(s, PROXY, n(5), SOONER_S).report(),
    "updates": lambda s, n: updates(s, n(10)).report(),
    "bad-update": lambda s, n: bad_update(s, then="good").report(),
    "drain": lambda s, n: drain(s).report(),  # the last: it stops the server
}


def chaos(names: list[str], scaled: Scaled, folder: Path) -> None:
    """Inject them, and write what came of each."""
    for name in [name for name in EMBEDDED if name in names]:
        _write(name, EMBEDDED[name](scaled), folder)
    if on_ray := [name for name in ON_RAY if name in names]:
        with ray_served() as served:
            for name in on_ray:
                _write(name, ON_RAY[name](served, scaled), folder)


def _write(name: str, found: Found, folder: Path) -> None:
    path = results.write("chaos", found, folder / f"{name}.json", name)
    print(f"{name}: {found}\nwritten to {path}", flush=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Faults for minutes")
    parser.add_argument("names", nargs="*", metavar="NAME", help="faults  [all]")
    parser.add_argument("--scale", type=float, default=1.0, help="of numbers and times  [1.0]")
    parser.add_argument("--out", type=Path, default=results.FOLDER, help="  [build/faults]")
    arguments = parser.parse_args()
    names = arguments.names or [*EMBEDDED, *ON_RAY]
    if unknown := set(names) - EMBEDDED.keys() - ON_RAY.keys():
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    chaos(names, lambda number: max(1, round(number * arguments.scale)), arguments.out)


if __name__ == "__main__":
    main()
