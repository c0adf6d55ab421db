"""Weight pruning of a Keras 3 model: weights of least magnitude become zero, at once or gradually
during training.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from lab.compress.choosing import check_names
from lab.compress.sparsity import PATTERNS, counted, pattern_mask, share_after
from lab.errors import InvalidFile
from lab.lazy import np
from lab.plugs import Array, Context


def kernels(model: Any, keep: Collection[str] = ()) -> dict[str, Any]:
    """Return layer -> variable to prune: the kernels of dense layers and convolutions, the
    pointwise kernel of separable ones.

    Depthwise kernels stay unchanged, as in Zhu & Gupta: they hold about a hundredth of a network's
    weights and are sensitive.

    Args:
        model: flat, see `lab.compress.keras.graph.rebuilt`.
        keep: layers that stay unchanged.

    Raises:
        InvalidFile: no layer is left to prune.
        InvalidOption: `keep` names a layer that the model does not have.
    """
    prunable = {
        layer.name: variable for layer in model.layers if (variable := _kernel(layer)) is not None
    }
    check_names("keep", keep, [layer.name for layer in model.layers])
    if left := {name: variable for name, variable in prunable.items() if name not in keep}:
        return left
    raise InvalidFile(
        "No layer is left to prune",
        allowed="convolutions and dense layers",
        given=", ".join(prunable) or "no such layers",
        remedy="Spare fewer layers",
    )


def _kernel(layer: Any) -> Any:
    import keras

    k = keras.layers
    if isinstance(layer, k.SeparableConv1D | k.SeparableConv2D):
        return layer.pointwise_kernel
    plain = (
        k.Dense,
        k.Conv1D,
        k.Conv2D,
        k.Conv3D,
        k.Conv1DTranspose,
        k.Conv2DTranspose,
        k.Conv3DTranspose,
    )
    return layer.kernel if isinstance(layer, plain) else None


def inputs_axis(layer: Any) -> int:
    """Return the axis of a layer's kernel that holds its inputs; a transposed convolution stores
    its outputs before them.
    """
    rank = len(_kernel(layer).shape)
    return rank - 1 if "Transpose" in type(layer).__name__ else rank - 2


class Pruner:
    """Pruner of a flat model, in place.

    Attributes:
        mode: "global" (least magnitudes over all kernels, each divided by its norm), "local" (the
            same share of each kernel) or a key of PATTERNS.
        ratio: share of zeros; a pattern has its own.
        kernels: layer -> variable.
        dense: layers that the pattern does not fit.
    """

    def __init__(self, model: Any, mode: str, ratio: float, keep: Collection[str] = ()) -> None:
        self.model, self.mode = model, mode
        self.kernels, self.dense = kernels(model, keep), list[str]()
        self.axes = {name: inputs_axis(model.get_layer(name)) for name in self.kernels}
        if mode in PATTERNS:
            stay, of = PATTERNS[mode]
            ratio = 1 - stay / of
            self.dense = [name for name, v in self.kernels.items() if v.shape[self.axes[name]] % of]
            self.kernels = {name: v for name, v in self.kernels.items() if name not in self.dense}
            if not self.kernels:
                raise InvalidFile(
                    f"No layer has a number of inputs that {of} divides",
                    given=", ".join(self.dense),
                    remedy="Choose the mode global or local",
                )
        self.ratio = ratio

    def masks(self, share: float = 1.0) -> dict[str, Array]:
        """Return layer -> mask, True where a weight stays, for this share of the final number of
        zeros; zeros stay zeros.
        """
        sizes = {name: np.abs(variable.numpy()) for name, variable in self.kernels.items()}
        if self.mode in PATTERNS:
            return _pattern(sizes, PATTERNS[self.mode], self.axes, share)
        return (
            _global(sizes, self.ratio * share)
            if self.mode == "global"
            else _local(sizes, self.ratio * share)
        )

    def prune(self) -> None:
        """Prune to the final share in one step."""
        for name, mask in self.masks().items():
            self.kernels[name].assign(self.kernels[name].numpy() * mask)

    def after_step(self) -> Any:
        """Return the function to call after each training step: the cubic schedule of Zhu & Gupta
        2017 (arXiv:1710.01878).

        The masks become variables of the model, so that a checkpoint contains them; `rebuilt` drops
        them.
        """
        held = _hold(self.model, self.kernels)

        def step(number: int, total: int) -> None:
            for name, kernel in self.kernels.items():
                kernel.assign(kernel * held[name])
            if (share := share_after(number, total)) is not None:
                for name, mask in self.masks(share).items():
                    held[name].assign(mask)
                    self.kernels[name].assign(self.kernels[name] * held[name])

        return step

    def note(self, context: Context) -> None:
        """Note the number of zeros in the pruned kernels."""
        values = {name: variable.numpy() for name, variable in sorted(self.kernels.items())}
        zeros = {name: int((value == 0).sum()) for name, value in values.items()}
        context.note(
            "pruning", counted(zeros, {name: value.size for name, value in values.items()})
        )
        if self.dense:
            of = PATTERNS[self.mode][1]
            context.note(
                "left dense",
                f"{', '.join(self.dense)}: {of} does not divide the number of their inputs",
            )


def _hold(model: Any, kernels_: Mapping[str, Any]) -> dict[str, Any]:
    """Return a variable of ones for each kernel, in a layer attached to the model outside its
    graph.
    """
    import keras

    holder = keras.layers.Layer(name="pruning_masks")
    held = {
        name: holder.add_weight(
            shape=kernel.shape, initializer="ones", trainable=False, name=f"mask{number}"
        )
        for number, (name, kernel) in enumerate(kernels_.items())
    }
    holder.built = True
    model.pruning_masks = holder
    return held


def _least(sizes: Array, count: int) -> Array:
    """Return a mask that is False for the `count` least elements; of equal ones the first are
    chosen.
    """
    mask = np.ones(sizes.size, bool)
    mask[np.argsort(sizes, axis=None, kind="stable")[:count]] = False
    return mask.reshape(sizes.shape)


def _local(sizes: Mapping[str, Array], ratio: float) -> dict[str, Array]:
    """Return the mask of each layer; rounding errors carry over to the next layer, so that the
    total share is as requested.
    """
    masks, seen, gone = {}, 0, 0
    for name, size in sizes.items():
        seen += size.size
        count = round(ratio * seen) - gone
        masks[name], gone = _least(size, count), gone + count
    return masks


def _global(sizes: Mapping[str, Array], ratio: float) -> dict[str, Array]:
    flat = [(size / max(float(np.linalg.norm(size)), 1e-30)).ravel() for size in sizes.values()]
    whole = np.concatenate(flat)
    parts = np.split(
        _least(whole, round(ratio * whole.size)), np.cumsum([part.size for part in flat])[:-1]
    )
    return {name: part.reshape(sizes[name].shape) for name, part in zip(sizes, parts, strict=True)}


def _pattern(
    sizes: Mapping[str, Array], pattern: tuple[int, int], axes: Mapping[str, int], share: float
) -> dict[str, Array]:
    """Return the mask of each layer; of the elements that the pattern removes, the least come
    first.
    """
    masks = {}
    for name, size in sizes.items():
        stay = pattern_mask(size, *pattern, axes[name])
        masks[name] = _least(np.where(stay, np.inf, size), round(share * (~stay).sum()))
    return masks
