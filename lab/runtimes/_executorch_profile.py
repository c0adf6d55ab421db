"""Operator profiles of ExecuTorch, read from its ETDump records with its own developer tools."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lab.errors import LabError
from lab.evidence import OperatorTime, Profile
from lab.formats.profiling import WARM_UP, fed, fitted, in_turns, kind_of, said, typical, warmed
from lab.formats.quiet import quiet, silent_libraries
from lab.formats.xnnpack import NOTE, PLACE, TICK_S, precision_of, with_kinds
from lab.lazy import np
from lab.plugs import Array, Session

_OWN, _NATIVE, _NUMBER = "ExecuTorch kernels", "native_call_", re.compile(r" #\d+$")
_FORGOTTEN = "The program does not contain the names of its layers."


def profile(bare: Session, path: str, item: Array, runs: int) -> Profile:
    """See `lab.plugs.Runtime.profile`.

    Args:
        bare: session of the file with these options; the recorded session shares its thread pool.

    Raises:
        LabError: no operator was recorded.
    """
    import torch
    from executorch.extension.pybindings import portable_lib

    x = fed(bare, item)
    tensor = torch.from_numpy(x)
    with TemporaryDirectory() as folder, silent_libraries(), quiet():
        module = portable_lib._load_for_executorch(path, enable_etdump=True)
        both = (lambda: bare.run(x), lambda: module.run_method("forward", (tensor,)))
        runs = warmed(runs, *both)
        total, _ = in_turns(runs, *both)
        module.write_etdump_result_to_file(f"{folder}/record.etdp")
        operators = _operators(_events(Path(folder) / "record.etdp"))
    if not operators:
        raise LabError("ExecuTorch recorded no operator", given=path)
    profiled, cost = fitted(operators, total)
    return Profile(profiled, runs, total, said(f"{NOTE} {_FORGOTTEN}", cost))


def _events(record: Path) -> list[Any]:
    """Return the recorded operators in execution order; a delegate call is represented by the
    operators inside it.
    """
    from executorch.devtools import Inspector

    blocks = [
        block
        for block in Inspector(etdump_path=str(record)).event_blocks
        if block.name == "Execute"
    ]
    events = [event for block in blocks for event in block.events if event.perf_data is not None]
    return [event for event in events if event.is_delegated_op or event.name.startswith(_NATIVE)]


def _operators(events: Sequence[Any]) -> list[OperatorTime]:
    profiled = list[OperatorTime]()
    for delegated, group in groupby(
        events, key=lambda event: event.is_delegated_op and event._instruction_id
    ):
        operators = [_operator(event) for event in group]
        profiled += operators if delegated is False else with_kinds(operators)
    return profiled


def _operator(event: Any) -> OperatorTime:
    name = _NUMBER.sub("", event.name).removeprefix(_NATIVE)
    seconds = 1e-3 * float(typical(np.array(event.perf_data.raw[WARM_UP:])[:, None])[0])
    if event.is_delegated_op:
        return OperatorTime(name, "", seconds + TICK_S / 2, 1, "other", precision_of(name), PLACE)
    return OperatorTime(name, "", seconds, 1, kind_of(name), "", _OWN)
