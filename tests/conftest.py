"""For all tests: one thread a process, since tiny tensors on several cost far more than they save.

On a busy machine threads that wait for one another made a test 20 times slower.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is first imported
