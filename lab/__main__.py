"""`python -m lab`."""

import atexit
import gc
import os
import sys

gc.set_threshold(
    100_000, 50, 50
)  # imports make objects that stay: looking for garbage among them is time lost

from lab.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # whatever must be done at the end is done; taking all modules apart takes a seventh of a cached
    # sweep
    atexit._run_exitfuncs()
    os._exit(0)
