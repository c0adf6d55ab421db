"""MobileNetV2 and EfficientNet-Lite: both are sequences of inverted residuals and differ in a table
only.

Sandler et al. 2018, MobileNetV2: Inverted Residuals and Linear Bottlenecks, arXiv:1801.04381; Tan
and Le 2019, EfficientNet, arXiv:1905.11946, in its Lite form: no squeeze-and-excitation, ReLU6 in
place of swish.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn


class Stage(NamedTuple):
    """Several inverted residuals in a row; the first has the stride."""

    expand: int
    channels: int
    repeats: int
    stride: int
    kernel: int = 3


def convolution(
    channels: int,
    out: int,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    activation: type[nn.Module] | None = nn.ReLU6,
) -> list[nn.Module]:
    """Return a convolution, its batch normalisation and, if any, its activation."""
    conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(out), *([activation()] if activation else [])]


class InvertedResidual(nn.Module):
    """Widen with 1×1, filter each channel, narrow with 1×1 without activation; a residual
    connection where shapes allow.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        stride: int,
        expand: int,
        kernel: int = 3,
        activation: type[nn.Module] = nn.ReLU6,
    ) -> None:
        super().__init__()
        wide = channels * expand
        self.adds = stride == 1 and channels == out
        self.layers = nn.Sequential(
            *(convolution(channels, wide, activation=activation) if expand > 1 else []),
            *convolution(wide, wide, kernel, stride, wide, activation),
            *convolution(wide, out, activation=None),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, h, w) -> (batch, out, h / stride, w / stride)."""
        return x + self.layers(x) if self.adds else self.layers(x)


class MobileNet(nn.Module):
    """Network from images (batch, 3, 32, 32) in 0..1 to logits (batch, classes).

    Args:
        stem: channels of the first convolution, which has stride 2.
        head: channels of the last 1×1 convolution, before the spatial mean.
        dropout: dropout of the classifier's input.
    """

    def __init__(
        self, classes: int, *, stem: int, stages: tuple[Stage, ...], head: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = convolution(3, stem, 3, stride=2)
        channels = stem
        for stage in stages:
            for i in range(stage.repeats):
                stride = stage.stride if i == 0 else 1
                layers.append(
                    InvertedResidual(channels, stage.channels, stride, stage.expand, stage.kernel)
                )
                channels = stage.channels
        self.features = nn.Sequential(*layers, *convolution(channels, head))
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(head, classes))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, 32, 32) -> (batch, classes)."""
        return self.classifier(self.features(x).mean((2, 3)))
