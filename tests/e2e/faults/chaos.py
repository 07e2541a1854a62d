"""The long forms: faults for minutes, and what they did, as JSON.

python -m tests.e2e.faults.chaos [NAME...] [--scale 1.0] [--json PATH]

Names: overload, disconnects, sigterm, slow-loris, training, and on Ray Serve replicas, controller,
proxy, updates, bad-update; none: all of them. A scale of 0.1 takes about a tenth of the time.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.e2e.faults import results
from tests.e2e.faults.disconnects import disconnects
from tests.e2e.faults.draining import draining
from tests.e2e.faults.overload import overload
from tests.e2e.faults.ray_faults import bad_update, drain, kills, updates
from tests.e2e.faults.ray_served import CONTROLLER, PROXY, REPLICA, RayServed, ray_served
from tests.e2e.faults.slow_loris import slow_loris
from tests.e2e.faults.training_kills import training_kills

EVERY_S = 20.0
Scaled = Callable[[int], int]
Found = Mapping[str, Any]


def _training(scaled: Scaled) -> Found:
    with TemporaryDirectory() as folder:
        return training_kills(Path(folder), kills=scaled(20)).report()


EMBEDDED: Mapping[str, Callable[[Scaled], Found]] = {
    "overload": lambda n: overload(10.0, float(n(120)), 5.0, max_waiting=512).report(),
    "disconnects": lambda n: disconnects(n(1000)).report(),
    "sigterm": lambda n: {"runs": [draining(seed).report() for seed in range(n(20))]},
    "slow-loris": lambda n: slow_loris(n(1000), patience_s=30.0).report(),
    "training": _training,
}
ON_RAY: Mapping[str, Callable[[RayServed, Scaled], Found]] = {
    "replicas": lambda s, n: kills(s, REPLICA, n(15), EVERY_S).report(),
    "controller": lambda s, n: kills(s, CONTROLLER, n(5), EVERY_S, retrying=False).report(),
    "proxy": lambda s, n: kills(s, PROXY, n(5), EVERY_S).report(),
    "updates": lambda s, n: updates(s, n(10)).report(),
    "bad-update": lambda s, n: bad_update(s, then="good").report(),
}


def chaos(names: list[str], scaled: Scaled) -> dict[str, Found]:
    """What came of each fault."""
    found: dict[str, Found] = {}
    for name in names:
        if name in EMBEDDED:
            found[name] = _told(name, EMBEDDED[name](scaled))
    if on_ray := [name for name in names if name in ON_RAY]:
        with ray_served() as served:
            for name in on_ray:
                found[name] = _told(name, ON_RAY[name](served, scaled))
            found["drain"] = _told("drain", drain(served).report())
    return found


def _told(name: str, found: Found) -> Found:
    print(f"{name}: {found}", flush=True)
    return found


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Faults for minutes")
    parser.add_argument("names", nargs="*", metavar="NAME", help="faults  [all]")
    parser.add_argument("--scale", type=float, default=1.0, help="of numbers and times  [1.0]")
    parser.add_argument("--json", type=Path, help="result  [build/faults/chaos.json]")
    arguments = parser.parse_args()
    names = arguments.names or [*EMBEDDED, *ON_RAY]
    if unknown := set(names) - EMBEDDED.keys() - ON_RAY.keys():
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    found = chaos(names, lambda number: max(1, round(number * arguments.scale)))
    print(f"written to {results.write('chaos', {'faults': found}, arguments.json)}")


if __name__ == "__main__":
    main()
