"""Sets single weights of a Keras 3 model to zero: those of least magnitude, at once or more and
more while it is trained.
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
    """Layer -> the variable that is pruned: kernels of dense layers and of convolutions, of
    separable ones the pointwise kernel.

    Depthwise kernels are left as they are, as by Zhu & Gupta: they are a hundredth of a network's
    weights, and it needs them.

    Args:
        model: flat, see `lab.compress.keras.graph.rebuilt`.
        keep: layers that are spared.

    Raises:
        InvalidFile: none is left.
        InvalidOption: `keep` names a layer that the model does not have.
    """
    found = {
        layer.name: variable for layer in model.layers if (variable := _kernel(layer)) is not None
    }
    check_names("keep", keep, [layer.name for layer in model.layers])
    if left := {name: variable for name, variable in found.items() if name not in keep}:
        return left
    raise InvalidFile(
        "No layer is left to prune",
        allowed="convolutions and dense layers",
        given=", ".join(found) or "none such",
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
    """The axis of a layer's kernel that its inputs lie along; a transposed convolution has its
    outputs before them.
    """
    rank = len(_kernel(layer).shape)
    return rank - 1 if "Transpose" in type(layer).__name__ else rank - 2


class Pruner:
    """Prunes a flat model in place.

    Attributes:
        mode: "global" (least magnitudes of all, each kernel divided by its norm), "local" (the same
            share of each kernel) or a key of
            PATTERNS.
        ratio: share of zeros; a pattern has its own.
        kernels: layer -> variable; dense: layers that the pattern does not fit.
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
        """Layer -> True where its kernel stays, when so much of the zeros that are asked for have
        come; zeros stay zeros.
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
        """All at once."""
        for name, mask in self.masks().items():
            self.kernels[name].assign(self.kernels[name].numpy() * mask)

    def after_step(self) -> Any:
        """What is called after each step of a training: the cubic schedule of Zhu & Gupta 2017
        (arXiv:1710.01878).

        The masks become variables of the model, so that a checkpoint has them; `rebuilt` leaves
        them behind.
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
        """Keep how many weights are zero in the pruned kernels."""
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
    """A variable of ones for each kernel, in a layer that hangs on the model beside its graph."""
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
    """True but for the `count` least ones; of equal ones the first go."""
    mask = np.ones(sizes.size, bool)
    mask[np.argsort(sizes, axis=None, kind="stable")[:count]] = False
    return mask.reshape(sizes.shape)


def _local(sizes: Mapping[str, Array], ratio: float) -> dict[str, Array]:
    """What rounding leaves over in one layer is taken in the next, so that the share over all is as
    asked.
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
    """Of those that the pattern lets go, the least first."""
    masks = {}
    for name, size in sizes.items():
        stay = pattern_mask(size, *pattern, axes[name])
        masks[name] = _least(np.where(stay, np.inf, size), round(share * (~stay).sum()))
    return masks
