"""The options of every technique that trains, and how a recipe is named after them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.options import Option

TRAINING = (
    Option(
        "train_steps",
        "Training steps",
        "int",
        400,
        "How many batches are learnt from, at most.",
        low=1,
        high=1_000_000,
    ),
    Option(
        "train_seconds",
        "Training time",
        "float",
        0.0,
        "Training ends after so long, if it has not ended before; 0 sets no limit. What is made"
        " then depends on the machine's speed.",
        unit="s",
        low=0.0,
        high=86_400.0,
    ),
    Option(
        "batch_size",
        "Batch size",
        "int",
        128,
        "How many training items each step learns from.",
        low=1,
        high=8192,
    ),
    Option(
        "learning_rate",
        "Learning rate",
        "float",
        0.0,
        "The highest rate of learning; 0 takes four fifths of what the model was first trained"
        " with, or 0.001 where that is not known. A tenth is gentle enough for a model that lost"
        " little.",
        low=0.0,
        high=1.0,
    ),
    Option(
        "schedule",
        "Learning-rate schedule",
        "choice",
        "cosine",
        "How the learning rate falls, after it has risen over the first twentieth of the steps:"
        " along half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983), along a line, or not at"
        " all.",
        choices=("cosine", "linear", "constant"),
    ),
    Option(
        "distillation",
        "Distillation",
        "float",
        0.0,
        "Which share of what is learnt comes from the float model's answers instead of the truth"
        " (knowledge distillation, Hinton et al. 2015, arXiv:1503.02531).",
        low=0.0,
        high=1.0,
    ),
    Option(
        "temperature",
        "Temperature",
        "float",
        4.0,
        "How far the float model's answers are softened before they are learnt from: its second and"
        " third choices count for more.",
        low=0.1,
        high=100.0,
    ),
    Option(
        "patience",
        "Patience",
        "int",
        0,
        "Training ends early when so many looks at held-out items in a row have brought nothing"
        " better, and the best weights are taken; 0 always trains to the end.",
        low=0,
        high=1000,
    ),
    Option(
        "bf16",
        "bfloat16",
        "bool",
        False,
        "Computes in 16-bit floats while training; weights stay 32 bits. Faster on some models and"
        " CPUs, slower on others.",
    ),
    Option(
        "train_seed",
        "Training seed",
        "int",
        0,
        "Draws the order of the training items and what is random about them. Same seed, same"
        " result on one machine.",
        low=0,
        high=2**31 - 1,
    ),
)
KEEP_ZEROS = Option(
    "keep_zeros",
    "Keep zeros",
    "bool",
    True,
    "Weights that are zero stay zero: what was pruned stays pruned.",
)
_NAMES = {
    "learning_rate": "lr",
    "batch_size": "batch",
    "distillation": "kd",
    "temperature": "t",
    "patience": "patience",
    "train_seed": "seed",
    "train_seconds": "s",
}


def training_suffix(params: Mapping[str, Any]) -> str:
    """What of the training's settings is not the default, for a recipe's name, such as
    "_lr0.001_kd0.5"; the steps are not in it.
    """
    changed = {
        o.id: params.get(o.id, o.default)
        for o in TRAINING
        if params.get(o.id, o.default) != o.default
    }
    changed.pop("train_steps", None)
    return "".join(f"_{_word(name, value)}" for name, value in changed.items())


def fine_tune_name(params: Mapping[str, Any]) -> str:
    """Such as "finetune400_kd0.5"."""
    zeros = "" if params["keep_zeros"] else "_refill"
    return f"finetune{params['train_steps']}{training_suffix(params)}{zeros}"


def _word(name: str, value: Any) -> str:
    if isinstance(value, bool | str):
        return str(value) if isinstance(value, str) else name
    return f"{_NAMES[name]}{value:g}"
