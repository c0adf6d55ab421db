"""Settings of a guided search in a spec: the sampler that chooses the trials, and the budget.

Its options are declared like a technique's, so that the command line, the form and the validation
are made from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab import registry
from lab.errors import InvalidOption, UsageError
from lab.options import Option, validate

SAMPLERS = ("ehvi", "tpe", "nsga2", "random")
LIMITS = "limits"
KINDS = ("at_most", "at_least", "max_drop")
OPTIONS = (
    Option(
        "sampler",
        "Chosen by",
        "choice",
        "ehvi",
        "What chooses the next trials: models that learn size, time and accuracy from the trials so"
        " far, for the largest expected gain in hypervolume (ehvi), Optuna's tree-structured Parzen"
        " estimator (tpe) or its genetic algorithm (nsga2), or chance (random, as a control).",
        choices=SAMPLERS,
    ),
    Option(
        "trials",
        "Trials",
        "int",
        60,
        "How many trials are run at most, the float model included; what the store knows comes on"
        " top.",
        low=1,
        high=100_000,
    ),
    Option(
        "minutes",
        "Minutes",
        "float",
        0.0,
        "After how many minutes of work no further trials are begun; 0 for no limit.",
        unit="min",
        low=0.0,
        high=100_000.0,
    ),
    Option(
        "seed",
        "Seed",
        "int",
        0,
        "The same seed and the same results make the same choices.",
        low=0,
        high=2**31 - 1,
    ),
    Option(
        "batch",
        "At once",
        "int",
        3,
        "How many trials are chosen at a time: they are timed in turns, so that their differences"
        " are exact.",
        low=1,
        high=64,
    ),
    Option(
        "known",
        "Start from the store",
        "bool",
        True,
        "Take up first, at no cost, every trial of the grid that the store knows already.",
    ),
)


def search_from_json(value: Any) -> dict[str, Any]:
    """The search of a spec with every option filled in and checked; empty where the whole grid is
    run.

    Args:
        value: {} or None for none, else any of the `OPTIONS`, and perhaps "limits": [{"metric",
            "kind", "value"}].

    Raises:
        UsageError: not an object, an option that does not exist or does not accept its value, or an
            impossible limit.
    """
    if not value:
        return {}
    if not isinstance(value, Mapping):
        raise _no_object(value)
    given = {k: v for k, v in value.items() if k != LIMITS and v is not None}
    return {**validate(OPTIONS, given, "search"), LIMITS: _limits(value.get(LIMITS) or ())}


def completed(value: Any) -> dict[str, Any]:
    """A search as it was stored, options that are newer than it at their default; not checked, so
    that every study can be read.

    Raises:
        UsageError: not an object.
    """
    if not value:
        return {}
    if not isinstance(value, Mapping):
        raise _no_object(value)
    return {
        **{o.id: o.default for o in OPTIONS},
        LIMITS: [],
        **{k: v for k, v in value.items() if v is not None},
    }


def _no_object(value: Any) -> UsageError:
    allowed = ", ".join([*(o.id for o in OPTIONS), LIMITS])
    return UsageError("The spec's 'search' is not an object", allowed=allowed, given=value)


def _limits(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise _odd_limit(value)
    return [_limit(limit) for limit in value]


def _limit(value: Any) -> dict[str, Any]:
    if (
        not isinstance(value, Mapping)
        or set(value) != {"metric", "kind", "value"}
        or value["kind"] not in KINDS
    ):
        raise _odd_limit(value)
    number = value["value"]
    if (
        isinstance(number, bool)
        or not isinstance(number, int | float)
        or not abs(number) < float("inf")
    ):
        raise _odd_limit(value)
    return {
        "metric": registry.metric(value["metric"]).id,
        "kind": value["kind"],
        "value": float(number),
    }


def _odd_limit(value: Any) -> InvalidOption:
    return InvalidOption(
        "A limit of the search has the wrong form",
        given=value,
        allowed='{"metric": id, "kind": "'
        + '" or "'.join(KINDS)
        + '", "value": number in the metric\'s unit}',
    )
