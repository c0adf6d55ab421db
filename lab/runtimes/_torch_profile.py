"""Operator profiles of PyTorch programs and TorchScript, from torch's profiler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.errors import LabError
from lab.evidence import OperatorTime, Profile
from lab.formats.profiling import WARM_UP, fed, fitted, in_turns, kind_of, said, typical, warmed
from lab.formats.quiet import silent_libraries
from lab.lazy import np
from lab.plugs import Array, Session

_CALL, _MAIN = "lab_call", 0.5
_DTYPES = {
    "float": "float32", "double": "float64", "c10::BFloat16": "bfloat16", "c10::Half": "float16",
    "long int": "int64", "int": "int32", "c10::quint8": "int8", "c10::qint8": "int8",
}  # fmt: skip
_WRAPPING = (
    "aten::lift_fresh",
    "aten::detach",
    "aten::to",
    "aten::resolve_conj",
    "aten::resolve_neg",
)
"""Conversions from and to numpy at both ends of a call, which are not part of the program."""
_NOTE = (
    "The operators are those that the program calls; the time of each includes the operators that"
    " it calls."
)


def profile(
    bare: Session, layers: Sequence[tuple[str, str]], engine: str, item: Array, runs: int
) -> Profile:
    """See `lab.plugs.Runtime.profile`.

    Args:
        bare: session of the file with these options.
        layers: (operator name in the profiler, layer) of each operation of the program, in order;
            empty if unknown.
        engine: library that computes quantized operators.

    Raises:
        LabError: torch's profiler recorded no operator.
    """
    x = fed(bare, item)
    runs = warmed(runs, lambda: bare.run(x))
    (total,) = in_turns(runs, lambda: bare.run(x))
    calls = _calls(_recorded(bare, x, runs, shapes=False))
    with_shapes = _calls(_recorded(bare, x, 1, shapes=True))
    if not calls or not calls[0] or not with_shapes:
        raise LabError("torch's profiler recorded no operator")
    whole = [call for call in calls if [o.name for o in call] == [o.name for o in calls[-1]]]
    seconds = typical(np.array([[operator.ns for operator in call] for call in whole])) / 1e9
    names = _layers(calls[-1], layers)
    kinds = (
        [_dtype(operator) for operator in with_shapes[0]]
        if len(with_shapes[0]) == len(names)
        else [""] * len(names)
    )
    operators = [
        OperatorTime(
            o.name,
            layer,
            float(s),
            1,
            kind_of(o.name),
            _precision(o.name, dtype),
            _place(o, engine),
        )
        for o, layer, s, dtype in zip(calls[-1], names, seconds, kinds, strict=True)
    ]
    profiled, cost = fitted(operators, total)
    return Profile(profiled, len(whole), total, said(_NOTE, cost))


@dataclass
class _Operator:
    """Operator with the operators that it calls."""

    name: str
    ns: int
    end: int
    dtypes: Sequence[str] = ()
    inner: list[_Operator] = field(default_factory=list)


def _recorded(bare: Session, x: Array, runs: int, shapes: bool) -> list[Any]:
    from torch.autograd.profiler import (
        profile as recording,
    )  # torch.profiler's version loads the compiler, which takes a second
    from torch.autograd.profiler import record_function

    with silent_libraries(), recording(use_kineto=True, record_shapes=shapes) as record:
        for _ in range(WARM_UP + runs):
            with record_function(_CALL):
                bare.run(x)
    events = [e for e in record.kineto_results.events() if e.duration_ns() > 0 or e.name() == _CALL]
    marks = sorted(e.start_ns() for e in events if e.name() == _CALL)
    return [e for e in events if len(marks) > WARM_UP and e.start_ns() >= marks[WARM_UP]]


def _calls(events: Sequence[Any]) -> list[list[_Operator]]:
    """Return the operators of each call of the model, as trees of calls."""
    calls, open_ = list[list[_Operator]](), list[_Operator]()
    thread = next((e.start_thread_id() for e in events if e.name() == _CALL), 0)
    ordered = sorted(events, key=lambda e: (e.start_ns(), -e.duration_ns()))
    for event in (e for e in ordered if e.start_thread_id() == thread):
        one = _Operator(
            event.name(),
            event.duration_ns(),
            event.start_ns() + event.duration_ns(),
            event.dtypes(),
        )
        while open_ and event.start_ns() >= open_[-1].end:
            open_.pop()
        if one.name == _CALL:
            calls.append([])
        elif "::" not in one.name:  # "forward" and other scopes
            continue
        elif open_:
            open_[-1].inner.append(one)
        elif calls:
            calls[-1].append(one)
        if one.name != _CALL:
            open_.append(one)
    return [_stripped(call) for call in calls]


def _stripped(call: list[_Operator]) -> list[_Operator]:
    own = [n for n, operator in enumerate(call) if operator.name not in _WRAPPING]
    return call[own[0] : own[-1] + 1] if own else []


def _layers(operators: Sequence[_Operator], layers: Sequence[tuple[str, str]]) -> list[str]:
    """Return the layer of each operator: operations of the program are matched in order; wrappers
    have no layer.
    """
    names, place = [], 0
    for operator in operators:
        at = next((n for n in range(place, len(layers)) if layers[n][0] == operator.name), None)
        names.append("" if at is None else layers[at][1])
        place = place if at is None else at + 1
    return names


def _dtype(operator: _Operator) -> str:
    name = next((dtype for dtype in operator.dtypes if dtype), "")
    return _DTYPES.get(name, "")


def _precision(name: str, dtype: str) -> str:
    return "int8" if name.startswith("quantized::") and not name.endswith("fp16") else dtype


def _place(operator: _Operator, engine: str) -> str:
    """Return the library that takes most of an operator's time, judged by names."""
    if operator.name.startswith("quantized::"):
        return engine or "PyTorch"
    while inner := [one for one in operator.inner if one.ns > _MAIN * operator.ns]:
        operator = inner[0]
    if "mkldnn" in operator.name or "onednn" in operator.name:
        return "oneDNN"
    return "PyTorch, slow convolution" if "slow_conv" in operator.name else "PyTorch"
