"""Energy that work took: measured by the processor where the system lets it be read."""

import time
from pathlib import Path

from training.compare.outcome import Energy

WATTS_PER_CORE = 5.0  # what a server processor's rated power over its cores comes to, 3.5-8
RAPL = Path("/sys/class/powercap")


class EnergyMeter:
    """Runs from its making. RAPL counts whole packages, so neighbours' work as well."""

    def __init__(self, powercap: Path = RAPL) -> None:
        self._powercap = powercap
        self._before = _read(powercap)
        self._cpu = time.process_time()

    def spent(self) -> Energy:
        """Since it was made."""
        now = _read(self._powercap)
        if self._before and now.keys() == self._before.keys():
            used = [
                _difference(self._powercap / name, self._before[name], now[name]) for name in now
            ]
            return Energy(joules=sum(used) / 1e6, method="rapl")
        return estimate_energy(time.process_time() - self._cpu)


def estimate_energy(processor_s: float) -> Energy:
    """Joules by rule of thumb: so many watts for each core that was busy."""
    return Energy(
        joules=processor_s * WATTS_PER_CORE, method="estimate", watts_per_core=WATTS_PER_CORE
    )


def _read(powercap: Path) -> dict[str, int]:
    """Microjoules of every package, by its folder's name; empty where one cannot be read."""
    try:
        packages = sorted(powercap.glob("intel-rapl:[0-9]*"))
        whole = [package for package in packages if package.name.count(":") == 1]
        return {package.name: int((package / "energy_uj").read_text()) for package in whole}
    except (OSError, ValueError):
        return {}


def _difference(package: Path, before: int, now: int) -> int:
    """Microjoules; the counter starts again at zero beyond its range."""
    if now >= before:
        return now - before
    return now - before + int((package / "max_energy_range_uj").read_text())
