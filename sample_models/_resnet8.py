"""Network of `signs_resnet8`, in its own file because its classes need torch at import.

He et al. 2015, Deep Residual Learning for Image Recognition, arXiv:1512.03385, in the size of
MLPerf Tiny: Banbury et al. 2021, MLPerf Tiny Benchmark, arXiv:2106.07597.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """Two 3×3 convolutions and a residual connection, with a 1×1 convolution where the shape
    changes.
    """

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out)
        self.around = nn.Conv2d(channels, out, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, h, w) -> (batch, out, h / stride, w / stride)."""
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.around(x))


class ResNet8(nn.Module):
    """Network from images (batch, 3, 32, 32) in 0..1 to logits (batch, classes)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()
        )
        self.blocks = nn.Sequential(Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2))
        self.head = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, 32, 32) -> (batch, classes)."""
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))
