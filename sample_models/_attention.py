"""A Transformer encoder layer in plain matrix products, in its own file because its classes need
torch at import.
"""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head self-attention in plain matrix products, which every quantizer recognizes."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Apply attention: (batch, length, width) and an addend of the scores, (batch, 1, 1,
        length) -> (batch, length, width).
        """
        q, k, v = self._split(self.query(x)), self._split(self.key(x)), self._split(self.value(x))
        scores = q @ k.transpose(-2, -1) / sqrt(self.size)
        share = torch.softmax(scores if bias is None else scores + bias, dim=-1)
        return self.out((share @ v).transpose(1, 2).reshape(-1, x.shape[1], self.heads * self.size))

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(-1, x.shape[1], self.heads, self.size).transpose(1, 2)


class Block(nn.Module):
    """Attention, then two dense layers, each with layer normalisation before and a residual
    connection.
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)
        self.dense = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, width)
        )

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """(batch, length, width) -> the same."""
        x = x + self.dropout(self.attention(self.norm1(x), bias))
        return x + self.dropout(self.dense(self.norm2(x)))
