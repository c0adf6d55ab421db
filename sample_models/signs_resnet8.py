"""ResNet-8 for road signs, in PyTorch: the network of MLPerf Tiny's image classification."""

from __future__ import annotations

from typing import Any

from lab.plugs import Training
from sample_models import _signs
from sample_models._recipe import Plan

PLAN = Plan(epochs=15, batch=128, rate=6e-3, smoothing=0.05, augment=_signs.shifted)
CARD = _signs.card(
    "signs_resnet8",
    "ResNet-8, road signs",
    "Three residual blocks of plain 3×3 convolutions, as in MLPerf Tiny (He et al. 2015,"
    " arXiv:1512.03385; Banbury et al. 2021, arXiv:2106.07597); the outputs are logits. It has"
    " few weights for its many multiply-accumulates, because each kernel is used at every"
    " position.",
)


def build() -> Any:
    """Return the untrained network: (batch, 3, 32, 32) float32 in 0..1 -> (batch, 24) logits."""
    from sample_models._resnet8 import ResNet8

    return ResNet8(len(CARD.class_names))


def train(training: Training) -> None:
    """Train from scratch with a fixed seed, then write the weights and the record."""
    from sample_models import _torch_recipe

    _torch_recipe.train(CARD, build, PLAN, training)
