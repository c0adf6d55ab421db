"""Network of `signs_mobilevit`: convolutions for local structure, attention for global structure.

Mehta and Rastegari 2021, MobileViT, arXiv:2110.02178.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sample_models._attention import Attention
from sample_models._inverted_residuals import InvertedResidual, convolution

PATCH = 2
"""Side of the patches. Pixels attend to those at the same position in all patches, as in the
paper.
"""


class Encoder(nn.Module):
    """One Transformer layer with layer normalisation first."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)
        self.dense = nn.Sequential(
            nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(sequences, length, width) -> the same."""
        x = x + self.dropout(self.attention(self.norm1(x)))
        return x + self.dropout(self.dense(self.norm2(x)))


def unfold(x: Tensor) -> Tensor:
    """Unfold patches, (batch, width, h, w) -> (batch × positions in a patch, patches, width); no
    tensor has more than four axes.
    """
    width, rows, columns = x.shape[1], x.shape[2] // PATCH, x.shape[3] // PATCH
    x = x.reshape(-1, width * rows, PATCH, columns * PATCH).transpose(1, 2)
    x = x.reshape(-1, width * rows * columns, PATCH).transpose(1, 2)
    return x.reshape(-1, width, rows * columns).transpose(1, 2)


def fold(x: Tensor, rows: int, columns: int) -> Tensor:
    """Invert `unfold`, for this number of rows and columns of patches."""
    width = x.shape[2]
    x = x.transpose(1, 2).reshape(-1, PATCH, width * rows * columns).transpose(1, 2)
    x = x.reshape(-1, PATCH, width * rows, columns * PATCH).transpose(1, 2)
    return x.reshape(-1, width, rows * PATCH, columns * PATCH)


class MobileViTBlock(nn.Module):
    """A local convolution, attention over patches, and a convolution that merges the result with
    the input.
    """

    def __init__(self, channels: int, width: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.local = nn.Sequential(
            *convolution(channels, channels, 3, activation=nn.SiLU),
            nn.Conv2d(channels, width, 1, bias=False),
        )
        self.layers = nn.ModuleList(Encoder(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.back = nn.Sequential(*convolution(width, channels, activation=nn.SiLU))
        self.join = nn.Sequential(*convolution(2 * channels, channels, 3, activation=nn.SiLU))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, h, w) -> the same."""
        far = unfold(self.local(x))
        for layer in self.layers:
            far = layer(far)
        far = fold(self.norm(far), x.shape[2] // PATCH, x.shape[3] // PATCH)
        return self.join(torch.cat((x, self.back(far)), dim=1))


class MobileViT(nn.Module):
    """Network from images (batch, 3, 32, 32) in 0..1 to logits (batch, classes)."""

    def __init__(self, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *convolution(3, 16, 3, stride=2, activation=nn.SiLU),
            InvertedResidual(16, 24, 1, expand=2, activation=nn.SiLU),
            InvertedResidual(24, 32, 2, expand=4, activation=nn.SiLU),
            MobileViTBlock(32, width=48, layers=2, heads=4, dropout=dropout),
            InvertedResidual(32, 48, 2, expand=4, activation=nn.SiLU),
            MobileViTBlock(48, width=64, layers=2, heads=4, dropout=dropout),
            *convolution(48, 128, activation=nn.SiLU),
        )
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(128, classes))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, 32, 32) -> (batch, classes)."""
        return self.classifier(self.features(x).mean((2, 3)))
