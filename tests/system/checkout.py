"""A copy of the checkout into which a test drops plug files, and the command line run in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from tests import small

ROOT = Path(__file__).resolve().parents[2]
TECHNIQUE = '''
"""A technique that a test dropped in."""
import time, shutil, ctypes
import numpy as np
from pathlib import Path
from lab.options import Option
from lab.plugs import Technique

def _apply(source, params, context):
    target = Path(shutil.copyfile(source, context.workdir / "model.onnx"))
    {body}
    return target

TECHNIQUE = Technique(
    id="{id}", title="{id}", help="Dropped in by a test.", accepts=("onnx",), produces="onnx", apply=_apply,
    name=lambda params: "{id}" + "".join(f"_{{v}}" for v in params.values()), requires=("onnx",),
    options=({options}), timeout_s={timeout_s},
)
'''
TAGGED = """import onnx
    model = onnx.load(str(target))
    model.producer_name = f"{params}"
    onnx.save(model, str(target))"""


class Checkout:
    """A copy with a LAB_HOME of its own; the small model is registered in it as "small"."""

    def __init__(self, folder: Path) -> None:
        self.root, self.home = folder / "checkout", folder / "home"
        self.environment = {**os.environ, "LAB_HOME": str(self.home), "PYTHONPATH": ""}
        self.environment.pop("LAB_DATABASE_URL", None)
        listed = [
            "git",
            "ls-files",
            "-co",
            "--exclude-standard",
            "lab",
            "sample_models",
            "tests",
            "pages",
            "docs/reference",
            "streamlit_app.py",
            ".streamlit",
            "pyproject.toml",
        ]
        for name in subprocess.run(
            listed, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines():
            if (ROOT / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, self.root / name)

    def add_small(self) -> None:
        """Register the small model."""
        model, data = (
            small.write_onnx(self.home.parent / "small.onnx"),
            small.write_data(self.home.parent / "small.npz"),
        )
        self.lab("add", str(model), "--data", str(data), check=True)

    def technique(self, id_: str, body: str, options: str = "", timeout_s: float = 600.0) -> None:
        """Drop a technique in: `body` runs after its source was copied to `target`."""
        text = TECHNIQUE.format(id=id_, body=body, options=options, timeout_s=timeout_s)
        (self.root / "lab" / "techniques" / f"{id_}.py").write_text(text)

    def drop(self, path: str, text: str) -> None:
        """Write a file into the copy."""
        (self.root / path).write_text(text)

    def remove(self, path: str) -> None:
        """Take a dropped file away again."""
        (self.root / path).unlink()

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """`python -m lab …` in the background."""
        return self.python("-m", "lab", *arguments, **environment)

    def python(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Python in the copy, in the background."""
        command, env = [sys.executable, *arguments], {**self.environment, **environment}
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def lab(
        self, *arguments: str, check: bool = False, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """`python -m lab …` to its end."""
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=240)
        assert not check or process.returncode == 0, err
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def json(self, *arguments: str) -> Any:
        """What a command prints as JSON."""
        return json.loads(self.lab(*arguments, check=True).stdout)

    def spec(self, value: Mapping[str, Any]) -> str:
        """A spec as a file; returns its path."""
        path = self.home.parent / f"spec-{time.monotonic_ns()}.json"
        path.write_text(
            json.dumps({"rounds": 2, "runs": 5, "targets": [{"runtime": "ort"}], **value})
        )
        return str(path)

    def sweep(
        self, value: Mapping[str, Any], **environment: str
    ) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
        """Sweep the small model over a spec; returns the run and the JSON that it wrote."""
        out = self.home.parent / f"out-{time.monotonic_ns()}.json"
        done = self.lab(
            "sweep", "small", "--spec", self.spec(value), "--json", str(out), **environment
        )
        return done, json.loads(out.read_text()) if out.exists() else {}


def until(true: Callable[[], Any], seconds: float, what: str) -> Any:
    """Poll until something holds; its value."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return found


def descendants(pid: int) -> list[psutil.Process]:
    """All processes below one."""
    return psutil.Process(pid).children(recursive=True)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; zombies do not."""
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
