"""A small MobileViT for road signs, in PyTorch: convolutions and attention in one network."""

from __future__ import annotations

from typing import Any

from lab.plugs import Training
from sample_models import _signs
from sample_models._recipe import Plan

PLAN = Plan(epochs=20, batch=128, rate=6e-3, smoothing=0.05, augment=_signs.shifted)
CARD = _signs.card(
    "signs_mobilevit",
    "MobileViT, road signs",
    "Inverted residuals, and two blocks that unfold the image into patches, let them attend to"
    " each other in a Transformer, and fold them back (Mehta and Rastegari 2021,"
    " arXiv:2110.02178), scaled to 32×32; the outputs are logits. Softmax, layer normalisation"
    " and SiLU are the hardest operators for integer arithmetic.",
)


def build() -> Any:
    """Return the untrained network: (batch, 3, 32, 32) float32 in 0..1 -> (batch, 24) logits."""
    from sample_models._mobilevit import MobileViT

    return MobileViT(len(CARD.class_names))


def train(training: Training) -> None:
    """Train from scratch with a fixed seed, then write the weights and the record."""
    from sample_models import _torch_recipe

    _torch_recipe.train(CARD, build, PLAN, training)
