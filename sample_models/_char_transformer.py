"""Network of `langid_transformer`, in its own file because its classes need torch at import."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sample_models._attention import Block

PADDING = 0
MASK_BIAS = 8.0
"""Addend of the attention scores of padding. It is small on purpose: the usual -1e4 or -infinity
would stretch the range of the scores so far that 8 bits could not distinguish them, and e^-8 is
small enough.
"""


class CharTransformer(nn.Module):
    """Network from character ids (batch, length), int64, to logits (batch, classes).

    Two convolutions see up to seven characters, attention sees the whole name; the summary is the
    mean and the maximum of each feature over the characters. Batches shorter than `length` are
    allowed.
    """

    def __init__(
        self,
        *,
        characters: int,
        length: int,
        classes: int,
        width: int = 96,
        heads: int = 4,
        hidden: int = 128,
        layers: int = 2,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, width, padding_idx=PADDING)
        self.position = nn.Parameter(torch.randn(length, width) * 0.02)
        self.convs = nn.ModuleList(
            nn.Conv1d(width, width, size, padding=size // 2) for size in (5, 3)
        )
        self.blocks = nn.ModuleList(Block(width, heads, hidden, dropout) for _ in range(layers))
        self.norm, self.head, self.dropout = (
            nn.LayerNorm(width),
            nn.Linear(2 * width, classes),
            nn.Dropout(dropout),
        )
        with torch.no_grad():
            self.embedding.weight.mul_(0.5)

    def forward(self, ids: Tensor) -> Tensor:
        """(batch, length) -> (batch, classes)."""
        present = (ids != PADDING).to(torch.float32)
        x = (self.embedding(ids) + self.position[: ids.shape[1]]).transpose(1, 2)
        for conv in self.convs:
            x = x + torch.relu(conv(x))
        x = self.dropout(x.transpose(1, 2))
        bias = ((present - 1) * MASK_BIAS)[:, None, None, :]
        for block in self.blocks:
            x = block(x, bias)
        return self.head(self.dropout(_summary(self.norm(x), present)))


def _summary(x: Tensor, present: Tensor) -> Tensor:
    """Return mean and non-negative maximum, (batch, length, width) and (batch, length) -> (batch, 2
    × width).
    """
    share = (present / present.sum(1, keepdim=True))[:, None, :]
    return torch.cat([(share @ x).squeeze(1), (torch.relu(x) * present[:, :, None]).amax(1)], dim=1)
