"""Network of `motion_transformer`, in its own file because its classes need torch at import."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sample_models._attention import Block


class MotionTransformer(nn.Module):
    """Network from sensor windows (batch, samples, axes) to logits (batch, classes).

    A convolution makes a token of each `patch` samples and their neighbours, as vision Transformers
    do with image patches (Dosovitskiy et al. 2020, arXiv:2010.11929, hybrid).
    """

    def __init__(
        self,
        *,
        samples: int,
        axes: int,
        classes: int,
        patch: int = 8,
        width: int = 64,
        heads: int = 4,
        hidden: int = 128,
        layers: int = 3,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.patches = nn.Conv1d(
            axes, width, kernel_size=2 * patch, stride=patch, padding=patch // 2
        )
        self.position = nn.Parameter(torch.randn(samples // patch, width) * 0.02)
        self.blocks = nn.ModuleList(Block(width, heads, hidden, dropout) for _ in range(layers))
        self.norm, self.head, self.dropout = (
            nn.LayerNorm(width),
            nn.Linear(width, classes),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, samples, axes) -> (batch, classes)."""
        x = torch.relu(self.patches(x.transpose(1, 2))).transpose(1, 2) + self.position
        for block in self.blocks:
            x = block(x)
        return self.head(self.dropout(self.norm(x).mean(dim=1)))
