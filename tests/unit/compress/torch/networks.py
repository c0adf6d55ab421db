"""Small networks, each with a coupling of channels that pruning must respect."""

from __future__ import annotations

from functools import partial
from typing import Any


def networks() -> dict[str, tuple[Any, tuple[int, ...], tuple[str, ...]]]:
    """Name -> network, shape of an item, layers whose outputs must become fewer."""
    import torch
    from torch import nn
    from torch.nn import functional as f

    class Net(nn.Module):
        def __init__(self, forward: Any, **layers: Any) -> None:
            super().__init__()
            self.run = forward
            for name, layer in layers.items():
                setattr(self, name, layer)

        def forward(self, x: Any) -> Any:
            return self.run(self, x)

    conv, norm, dense = partial(nn.Conv2d, kernel_size=3, padding=1), nn.BatchNorm2d, nn.Linear
    image, tokens = (3, 6, 6), (5, 7)

    def shuffle(x: Any) -> Any:
        return x.reshape(-1, 2, 8, 6, 6).transpose(1, 2).reshape(-1, 16, 6, 6)

    def packed(net: Any, x: Any) -> Any:
        q, k, v = net.qkv(x).reshape(-1, 5, 3, 4, 6).permute(2, 0, 3, 1, 4).unbind(0)
        return net.out(
            f.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(-1, 5, 24)
        ).mean(1)

    def halves(net: Any, x: Any) -> Any:
        a, b = net.a(x).split([4, 12], 1)
        return net.out((torch.relu(net.b(a)) + net.c(b)).mean((2, 3)))

    return {
        "grouped": (
            Net(
                lambda n, x: n.out(torch.relu(n.b(torch.relu(n.a(x)))).mean((2, 3))),
                a=conv(3, 16),
                b=conv(16, 24, groups=4),
                out=dense(24, 4),
            ),
            image,
            ("a", "b"),
        ),
        "depthwise with two filters each": (
            Net(
                lambda n, x: n.out(torch.relu(n.c(f.relu6(n.b(n.a(x))))).flatten(1)),
                a=conv(3, 8),
                b=conv(8, 16, groups=8),
                c=conv(16, 12),
                out=dense(12 * 36, 4),
            ),
            image,
            ("a", "b", "c"),
        ),
        "parts joined and added to one": (
            Net(
                lambda n, x: n.out(n.d(torch.cat([n.a(x), n.b(x)], 1) + n.c(x)).mean((2, 3))),
                a=conv(3, 8),
                b=conv(3, 12),
                c=conv(3, 20),
                d=conv(20, 6),
                out=dense(6, 4),
            ),
            image,
            ("a", "b", "c", "d"),
        ),
        "dense connections": (
            Net(
                lambda n, x: n.out(
                    torch.cat([y := n.a(x), z := n.b(y), n.c(torch.cat([y, z], 1))], 1).mean((2, 3))
                ),
                a=conv(3, 8),
                b=conv(8, 6),
                c=conv(14, 10),
                out=dense(24, 4),
            ),
            image,
            ("a", "b", "c"),
        ),
        "channel shuffle": (
            Net(
                lambda n, x: n.out(n.b(shuffle(n.a(x))).mean((2, 3))),
                a=conv(3, 16),
                b=conv(16, 8),
                out=dense(8, 4),
            ),
            image,
            ("b",),
        ),
        "gated": (
            Net(
                lambda n, x: n.out(
                    (lambda a, b: n.b(a * torch.sigmoid(b)))(*n.a(x).chunk(2, 1)).mean((2, 3))
                ),
                a=conv(3, 16),
                b=conv(8, 10),
                out=dense(10, 4),
            ),
            image,
            ("a", "b"),
        ),
        "unequal parts": (
            Net(halves, a=conv(3, 16), b=conv(4, 8), c=conv(12, 8), out=dense(8, 4)),
            image,
            ("a", "b", "c"),
        ),
        "a part by its bounds": (
            Net(
                lambda n, x: n.out(n.b(n.a(x)[:, 4:14]).mean((2, 3))),
                a=conv(3, 16),
                b=conv(10, 8),
                out=dense(8, 4),
            ),
            image,
            ("a", "b"),
        ),
        "squeeze and excitation": (
            Net(
                lambda n, x: n.out(
                    (
                        lambda y: (
                            y
                            * torch.sigmoid(n.c(torch.relu(n.b(y.mean((2, 3))))))[:, :, None, None]
                        )
                    )(n.norm(n.a(x))).amax((2, 3))
                ),
                a=conv(3, 12),
                norm=norm(12),
                b=dense(12, 6),
                c=dense(6, 12),
                out=dense(12, 4),
            ),
            image,
            ("a", "b", "c"),
        ),
        "learnt scales": (
            Net(
                lambda n, x: n.out((n.a(x) * n.scale).mean((2, 3))),
                a=conv(3, 12),
                scale=nn.Parameter(torch.randn(12, 1, 1)),
                out=dense(12, 4),
            ),
            image,
            ("a",),
        ),
        "a layer used twice": (
            Net(
                lambda n, x: n.out(torch.relu(n.b(torch.relu(n.b(n.a(x))))).mean((2, 3))),
                a=conv(3, 10),
                b=conv(10, 10),
                out=dense(10, 4),
            ),
            image,
            ("a", "b"),
        ),
        "packed attention": (Net(packed, qkv=dense(7, 72), out=dense(24, 4)), tokens, ("qkv",)),
        "dense layers of tokens": (
            Net(
                lambda n, x: n.out(torch.relu(n.norm(f.gelu(n.a(x)).transpose(1, 2))).mean(2)),
                a=dense(7, 12),
                norm=nn.BatchNorm1d(12),
                out=dense(12, 4),
            ),
            tokens,
            ("a",),
        ),
        "transposed convolution": (
            Net(
                lambda n, x: n.out(n.c(n.b(n.a(x))).mean((2, 3))),
                a=conv(3, 8),
                b=nn.ConvTranspose2d(8, 8, 2),
                c=conv(8, 8),
                out=dense(8, 4),
            ),
            image,
            ("c",),
        ),
        "normalised in groups": (
            Net(
                lambda n, x: n.out(n.b(n.g(n.a(x))).mean((2, 3))),
                a=conv(3, 8),
                g=nn.GroupNorm(2, 8),
                b=conv(8, 8),
                out=dense(8, 4),
            ),
            image,
            ("b",),
        ),
        "a slope each": (
            Net(
                lambda n, x: n.out(n.b(n.p(n.a(x))).mean((2, 3))),
                a=conv(3, 6),
                p=nn.PReLU(6),
                b=conv(6, 8),
                out=dense(8, 4),
            ),
            image,
            ("b",),
        ),
        "zeros as further channels": (
            Net(
                lambda n, x: n.out(n.b(f.pad(n.a(x), (0, 0, 0, 0, 0, 2))).mean((2, 3))),
                a=conv(3, 6),
                b=conv(8, 8),
                out=dense(8, 4),
            ),
            image,
            ("b",),
        ),
        "attention of torch": (
            Net(
                lambda n, x: n.out(torch.relu(n.a(n.m(x, x, x, need_weights=False)[0])).mean(1)),
                m=nn.MultiheadAttention(8, 2, batch_first=True),
                a=dense(8, 12),
                out=dense(12, 4),
            ),
            (5, 8),
            ("a",),
        ),
        "rolled channels": (
            Net(
                lambda n, x: n.out(n.b(torch.roll(n.a(x), 1, 1)).mean((2, 3))),
                a=conv(3, 8),
                b=conv(8, 8),
                out=dense(8, 4),
            ),
            image,
            ("b",),
        ),
    }
