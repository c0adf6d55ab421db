from __future__ import annotations

from lab.analysis.layer_map import same_layers
from lab.types import Layer


def layers(**macs: int | None) -> list[Layer]:
    return [Layer(name, "t", (1,), 0, count, 4) for name, count in macs.items()]


def test_the_same_work_in_the_same_order_is_the_same_layer() -> None:
    source = layers(stem=100, relu=0, block=50, again=50, head=7)
    file = layers(conv=100, conv_1=50, add=0, conv_2=50, gemm=7)
    assert same_layers(file, source) == {
        "conv": "stem",
        "conv_1": "block",
        "conv_2": "again",
        "gemm": "head",
    }


def test_a_branch_that_comes_in_another_order_is_found_by_its_work() -> None:
    source = layers(first=10, shortcut=3, second=20, last=30)
    file = layers(a=10, b=20, c=3, d=30)
    assert same_layers(file, source) == {"a": "first", "b": "second", "c": "shortcut", "d": "last"}


def test_what_cannot_be_told_apart_is_left_out() -> None:
    assert same_layers(layers(x=5, y=5), layers(p=6)) == {}
