"""`python -m lab`."""

import gc

gc.set_threshold(
    100_000, 50, 50
)  # imports make objects that stay: looking for garbage among them takes a tenth of a cached sweep

from lab.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
