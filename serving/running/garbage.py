"""Python's collector of cyclic garbage, kept away from what lives as long as the process."""

import gc


def spare_what_lasts() -> None:
    """Collect once, and look at nothing that is here now ever again.

    Routes, schemas and modules are hundreds of thousands of objects, and no garbage. A full
    collection walks through them all and holds up every request meanwhile, for some 100 ms, a few
    times a minute under load. Call it once, when a process is ready to serve.
    """
    gc.collect()
    gc.freeze()
