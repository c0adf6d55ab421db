"""Network of `keywords_gru`, in its own file because its classes need torch at import."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Gru(nn.Module):
    """A gated recurrent unit (Cho et al., arXiv:1406.1078) in plain matrix products, unrolled step
    by step.

    torch.nn.GRU would become ONNX's GRU operator, which onnxruntime's quantizers keep in float. The
    new state is not computed as new + keep * (h - new): that difference has twice the range, and
    where scales happen to be powers of two, LiteRT adds and subtracts 16-bit integers only if one
    of them has the result's scale.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.input_gates, self.input_state = nn.Linear(inputs, 2 * width), nn.Linear(inputs, width)
        self.gates, self.state = nn.Linear(width, 2 * width, bias=False), nn.Linear(width, width)
        for matrix in (self.gates.weight, self.state.weight):
            for square in matrix.split(width):
                nn.init.orthogonal_(square)

    def forward(self, x: Tensor) -> Tensor:
        """Return the state after each frame, (batch, frames, inputs) -> (batch, frames, width)."""
        gates, states = self.input_gates(x).unbind(1), self.input_state(x).unbind(1)
        h, seen = torch.zeros_like(states[0]), []
        for from_input, proposed in zip(gates, states, strict=True):
            reset, keep = torch.sigmoid(from_input + self.gates(h)).chunk(2, dim=-1)
            new = torch.tanh(proposed + reset * self.state(h))
            h = keep * h + (1 - keep) * new
            seen.append(h)
        return torch.stack(seen, dim=1)


class GruClassifier(nn.Module):
    """Network from spectral frames (batch, 1, frames, coefficients) to logits (batch, classes).

    One convolution sees nine frames at a time with a stride of three; the unit reads its outputs.
    """

    def __init__(
        self,
        *,
        coefficients: int,
        classes: int,
        filters: int = 64,
        width: int = 128,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, filters, (9, coefficients), stride=(3, 1), padding=(4, 0))
        self.gru, self.dropout, self.head = (
            Gru(filters, width),
            nn.Dropout(dropout),
            nn.Linear(width, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 1, frames, coefficients) -> (batch, classes)."""
        features = self.dropout(torch.relu(self.conv(x)).squeeze(3).transpose(1, 2))
        return self.head(self.dropout(self.gru(features).mean(dim=1)))
