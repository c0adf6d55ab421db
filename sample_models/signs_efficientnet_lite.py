"""A small EfficientNet-Lite for road signs, in PyTorch."""

from __future__ import annotations

from typing import Any

from lab.plugs import Training
from sample_models import _signs
from sample_models._recipe import Plan

PLAN = Plan(epochs=15, batch=128, rate=6e-3, smoothing=0.05, augment=_signs.shifted)
CARD = _signs.card(
    "signs_efficientnet_lite",
    "EfficientNet-Lite, road signs",
    "Inverted residuals with 3×3 and 5×5 kernels, without squeeze-and-excitation and with ReLU6 in"
    " place of swish, which is what makes an EfficientNet quantize well (Tan and Le 2019,"
    " arXiv:1905.11946, in its Lite form), scaled to 32×32; gives logits.",
)


def build() -> Any:
    """Return the untrained network: (batch, 3, 32, 32) float32 in 0..1 -> (batch, 24) logits."""
    from sample_models._inverted_residuals import MobileNet, Stage

    stages = (
        Stage(expand=1, channels=16, repeats=1, stride=1),
        Stage(expand=4, channels=24, repeats=2, stride=1),
        Stage(expand=4, channels=40, repeats=2, stride=2, kernel=5),
        Stage(expand=6, channels=64, repeats=2, stride=2, kernel=5),
    )
    return MobileNet(len(CARD.class_names), stem=24, stages=stages, head=192, dropout=0.1)


def train(training: Training) -> None:
    """Train from scratch with a fixed seed, then write the weights and the record."""
    from sample_models import _torch_recipe

    _torch_recipe.train(CARD, build, PLAN, training)
