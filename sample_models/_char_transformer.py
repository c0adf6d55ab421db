"""The network of `langid_transformer`: kept apart because its classes need torch when the file is imported."""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn

PADDING = 0
MASK_BIAS = 8.0
"""Taken off the attention scores of padding. Small on purpose: the usual 1e4 or infinity would stretch the range of the
scores so far that 8 bits could tell no two of them apart, and e^-8 is as good as nothing."""


class Attention(nn.Module):
    """Multi-head self-attention in plain matrix products, so that every tool finds what to quantize."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """(batch, length, width) and (batch, 1, 1, length) -> (batch, length, width)."""
        q, k, v = self._split(self.query(x)), self._split(self.key(x)), self._split(self.value(x))
        share = torch.softmax(q @ k.transpose(-2, -1) / sqrt(self.size) + bias, dim=-1)
        return self.out((share @ v).transpose(1, 2).reshape(-1, x.shape[1], self.heads * self.size))

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(-1, x.shape[1], self.heads, self.size).transpose(1, 2)


class Block(nn.Module):
    """Attention, then two dense layers, each normalised before and added after."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)
        self.dense = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, width))

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """(batch, length, width) -> the same."""
        x = x + self.dropout(self.attention(self.norm1(x), bias))
        return x + self.dropout(self.dense(self.norm2(x)))


class CharTransformer(nn.Module):
    """Character numbers (batch, length), int64 -> logits (batch, classes)."""

    def __init__(
        self,
        *,
        characters: int,
        length: int,
        classes: int,
        width: int = 96,
        heads: int = 4,
        hidden: int = 128,
        layers: int = 3,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, width, padding_idx=PADDING)
        self.position = nn.Parameter(torch.randn(length, width) * 0.02)
        self.conv = nn.Conv1d(width, width, kernel_size=3, padding=1)
        self.blocks = nn.ModuleList(Block(width, heads, hidden, dropout) for _ in range(layers))
        self.norm, self.head, self.dropout = nn.LayerNorm(width), nn.Linear(width, classes), nn.Dropout(dropout)
        with torch.no_grad():
            self.embedding.weight.mul_(0.5)

    def forward(self, ids: Tensor) -> Tensor:
        """(batch, length) -> (batch, classes)."""
        present = (ids != PADDING).to(torch.float32)
        x = self.embedding(ids) + self.position
        x = self.dropout(x + torch.relu(self.conv(x.transpose(1, 2))).transpose(1, 2))
        bias = ((present - 1) * MASK_BIAS)[:, None, None, :]
        for block in self.blocks:
            x = block(x, bias)
        weight = (present / present.sum(1, keepdim=True))[:, None, :]
        return self.head((weight @ self.norm(x)).squeeze(1))
