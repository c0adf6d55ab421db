"""A small MobileNetV2 for road signs, in PyTorch."""

from __future__ import annotations

from typing import Any

from lab.plugs import Training
from sample_models import _signs
from sample_models._recipe import Plan

PLAN = Plan(epochs=15, batch=128, rate=6e-3, smoothing=0.05, augment=_signs.shifted)
CARD = _signs.card(
    "signs_mobilenetv2",
    "MobileNetV2, road signs",
    "Inverted residuals with linear bottlenecks and ReLU6 (Sandler et al. 2018,"
    " arXiv:1801.04381), scaled to 32×32; the outputs are logits. Depthwise convolutions need"
    " few multiply-accumulates and are the hardest to quantize: each channel has its own range.",
)


def build() -> Any:
    """Return the untrained network: (batch, 3, 32, 32) float32 in 0..1 -> (batch, 24) logits."""
    from sample_models._inverted_residuals import MobileNet, Stage

    stages = (
        Stage(expand=1, channels=16, repeats=1, stride=1),
        Stage(expand=6, channels=24, repeats=2, stride=2),
        Stage(expand=6, channels=32, repeats=2, stride=1),
        Stage(expand=6, channels=48, repeats=1, stride=2),
    )
    return MobileNet(len(CARD.class_names), stem=16, stages=stages, head=128)


def train(training: Training) -> None:
    """Train from scratch with a fixed seed, then write the weights and the record."""
    from sample_models import _torch_recipe

    _torch_recipe.train(CARD, build, PLAN, training)
