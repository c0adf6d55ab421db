"""Execution providers of a runtime, listed in a separate process, since its library must be loaded.

`python -m lab.engine.providers RUNTIME` prints them as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from functools import cache

from lab import registry
from lab.errors import LabError
from lab.home import CHECKOUT
from lab.plugs import Provider


@cache
def providers(runtime_id: str) -> tuple[Provider, ...]:
    """Execution providers of a runtime, each with the reason why it can or cannot be used here;
    empty where there is no choice.

    Raises:
        UnknownId: there is no such runtime.
        LabError: its library cannot be loaded.
    """
    runtime = registry.runtime(runtime_id)
    if runtime.providers is None or runtime.missing:
        return ()
    command = [sys.executable, "-m", "lab.engine.providers", runtime_id]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=CHECKOUT, timeout=120, check=False
    )
    if done.returncode:
        raise LabError(
            f"The execution providers of {runtime.title} could not be asked",
            given=done.stderr.strip()[-300:],
        )
    return tuple(Provider(**found) for found in json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    ask = registry.runtime(sys.argv[1]).providers
    print(json.dumps([asdict(provider) for provider in (ask() if ask else ())]))
