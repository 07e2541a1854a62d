"""Which of a bundle's graphs a device runs."""

from mt.bundle import Manifest
from mt.errors import ConfigError
from mt.stepper import Device

# The kernels of 8-bit products are a CPU's; on a GPU, 16 bits are the fast ones.
ON_GPU = ("fp16", "fp32")


def precision_for(manifest: Manifest, wanted: str | None = None, device: Device = "cpu") -> str:
    """The wanted precision; where none is, on a CPU the bundle's default, on a GPU the fastest.

    Raises:
        ConfigError: the device has no such arithmetic, or the bundle none that it has.
    """
    if device == "cpu":
        return wanted or manifest.default_precision
    if wanted is not None and wanted not in ON_GPU:
        raise ConfigError(
            f"{wanted} graphs run on a CPU only: with device {device} choose precision "
            f"{' or '.join(ON_GPU)}, or none"
        )
    found = wanted or next((one for one in ON_GPU if one in manifest.graphs), None)
    if found is None:
        raise ConfigError(
            f"{manifest.name} has no graphs for device {device}; export it with --precision fp16"
        )
    return found
