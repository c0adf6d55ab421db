"""Options of every technique that trains, and their suffixes in recipe names."""

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
        "Largest number of training batches.",
        low=1,
        high=1_000_000,
    ),
    Option(
        "train_seconds",
        "Training time",
        "float",
        0.0,
        "Longest training time; 0 sets no limit. With a limit the result depends on the"
        " machine's speed.",
        unit="s",
        low=0.0,
        high=86_400.0,
    ),
    Option(
        "batch_size",
        "Batch size",
        "int",
        128,
        "Number of training items per step.",
        low=1,
        high=8192,
    ),
    Option(
        "learning_rate",
        "Learning rate",
        "float",
        0.0,
        "Highest learning rate; 0 means four fifths of the rate of the model's first training,"
        " or 0.001 where that is not known. A tenth of it is enough for a model that lost little"
        " accuracy.",
        low=0.0,
        high=1.0,
    ),
    Option(
        "schedule",
        "Learning-rate schedule",
        "choice",
        "cosine",
        "Course of the learning rate after its rise over the first twentieth of the steps: half"
        " a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983), linear, or constant.",
        choices=("cosine", "linear", "constant"),
    ),
    Option(
        "distillation",
        "Distillation",
        "float",
        0.0,
        "Share of the loss that compares with the float model's predictions instead of the"
        " labels (knowledge distillation, Hinton et al. 2015, arXiv:1503.02531).",
        low=0.0,
        high=1.0,
    ),
    Option(
        "temperature",
        "Temperature",
        "float",
        4.0,
        "Softening of the float model's predictions before distillation: higher values give its"
        " second and third choices more weight.",
        low=0.1,
        high=100.0,
    ),
    Option(
        "patience",
        "Patience",
        "int",
        0,
        "Number of evaluations on held-out items without improvement after which training ends"
        " early with the best weights; 0 always trains to the end.",
        low=0,
        high=1000,
    ),
    Option(
        "bf16",
        "bfloat16",
        "bool",
        False,
        "Computes in 16-bit floats during training; weights stay in 32 bits. Faster on some"
        " models and CPUs, slower on others.",
    ),
    Option(
        "train_seed",
        "Training seed",
        "int",
        0,
        "Seed of the order of the training items and of random augmentation. The same seed"
        " gives the same result on one machine.",
        low=0,
        high=2**31 - 1,
    ),
)
KEEP_ZEROS = Option(
    "keep_zeros",
    "Keep zeros",
    "bool",
    True,
    "Weights that are zero stay zero, so that pruned weights stay pruned.",
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
    """Return training settings that differ from the defaults, for a recipe's name, like
    "_lr0.001_kd0.5"; the number of steps is not included.
    """
    changed = {
        o.id: params.get(o.id, o.default)
        for o in TRAINING
        if params.get(o.id, o.default) != o.default
    }
    changed.pop("train_steps", None)
    return "".join(f"_{_word(name, value)}" for name, value in changed.items())


def fine_tune_name(params: Mapping[str, Any]) -> str:
    """Return a name like "finetune400_kd0.5"."""
    zeros = "" if params["keep_zeros"] else "_refill"
    return f"finetune{params['train_steps']}{training_suffix(params)}{zeros}"


def _word(name: str, value: Any) -> str:
    if isinstance(value, bool | str):
        return str(value) if isinstance(value, str) else name
    return f"{_NAMES[name]}{value:g}"
