"""How much memory a piece of work needed, though its process may have needed more before."""

import re
import resource
from pathlib import Path

_SELF = Path("/proc/self")


def forget_peak() -> None:
    """Start measuring anew, where Linux allows it."""
    try:
        (_SELF / "clear_refs").write_text("5")  # resets the high-water mark of resident memory
    except OSError:
        return


def peak_mib() -> float:
    """Most resident memory (MiB) since `forget_peak`; elsewhere than on Linux, of all time."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", (_SELF / "status").read_text())
    except OSError:
        found = None
    kib = int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kib / 1024, 1)
