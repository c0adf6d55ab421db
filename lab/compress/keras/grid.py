"""Kernels of a Keras model rounded to a grid of few bits during training, as a later quantizer will
round them.

A weight is w = s * q with integers q of b bits and one scale s for a group of weights. In training,
gradients pass through the rounding as if it were not there (Bengio et al. 2013, arXiv:1308.3432),
and s is trained, too (Esser et al. 2020, Learned Step Size Quantization, arXiv:1902.08153).
Post-training quantizers derive s from the largest weight of the group; s is therefore held where
that weight lies on the last integer, so that they find the same s and the same integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from lab.lazy import np
from lab.plugs import Array

KINDS = ("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D", "Dense")
DEPTHWISE = ("DepthwiseConv1D", "DepthwiseConv2D")
STEPS = 60
SMALLEST = 1e-9
"""Smallest value of a group's largest weight, as in ai-edge-quantizer: a group of zeros has a
scale, too.
"""


@dataclass(frozen=True)
class KernelGrid:
    """Grid of one layer's kernel.

    Attributes:
        bits: bits of an integer, 2 to 8; integers range from -(2^(b-1) - 1) to 2^(b-1) - 1.
        per_channel: True for one scale per output channel, False for one per kernel.
        depthwise: True if the output channels are the kernel's last two axes instead of its last
            one.
        keep_zeros: True to exclude weights that are zero now from training.
    """

    bits: int
    per_channel: bool = True
    depthwise: bool = False
    keep_zeros: bool = False

    @property
    def highest(self) -> int:
        """The largest integer."""
        return int(2 ** (self.bits - 1) - 1)

    def axes(self, shape: tuple[int, ...], per_channel: bool = True) -> list[int]:
        """Return the axes of a kernel over which weights share a scale."""
        return list(range(len(shape) - (1 + self.depthwise if per_channel else 0)))

    def largest(self, kernel: Array, per_channel: bool) -> Array:
        """Return the largest magnitude of each group; shared axes have size 1."""
        magnitudes = np.abs(kernel).max(tuple(self.axes(kernel.shape, per_channel)), keepdims=True)
        return np.asarray(np.maximum(magnitudes, SMALLEST))

    def best_scale(self, kernel: Array) -> Array:
        """Return the scales with the least squared error of STEPS candidates; shared axes have size
        1.
        """
        full, axes = (
            self.largest(kernel, self.per_channel) / self.highest,
            self.axes(kernel.shape, self.per_channel),
        )
        scales = [full * step / STEPS for step in range(STEPS, STEPS // 5, -1)]
        errors = [
            ((self.rounded(kernel, s) - kernel) ** 2).sum(tuple(axes), keepdims=True)
            for s in scales
        ]
        return np.asarray(np.take_along_axis(np.stack(scales), np.argmin(errors, 0)[None], 0)[0])

    def rounded(self, kernel: Array, scale: Array) -> Array:
        """Round the kernel to its grid, half to even."""
        return np.asarray(np.clip(np.rint(kernel / scale), -self.highest, self.highest) * scale)


def weighted(model: Any) -> dict[str, Any]:
    """Return name -> layer of a flat model, for layers whose kernels post-training quantizers
    round.
    """
    return {layer.name: layer for layer in model.layers if kind_of(layer)}


def kind_of(layer: Any) -> str:
    """Return the one of KINDS that a layer is; "" for none."""
    import keras

    return next((kind for kind in KINDS if isinstance(layer, getattr(keras.layers, kind))), "")


def gridded(layer: Any, grid: KernelGrid) -> Any:
    """Return a new layer, not built, with the configuration of the given one, whose kernel lies on
    a grid.
    """
    kind = kind_of(layer)
    layer_on_grid = gridded_class(kind).from_config(layer.get_config())
    layer_on_grid.grid = grid
    return layer_on_grid


def start(layer_on_grid: Any, layer: Any) -> None:
    """Give a built gridded layer the weights of its original."""
    grid, kernel = layer_on_grid.grid, np.asarray(layer.kernel, np.float32)
    size = grid.largest(kernel, True)
    size = size / size.mean()
    layer_on_grid.size.assign(size)
    layer_on_grid.trained.assign(kernel / size)
    layer_on_grid.log_scale.assign(np.log(grid.best_scale(kernel)).ravel())
    layer_on_grid.mask.assign((kernel != 0) if grid.keep_zeros else np.ones_like(kernel))
    if layer.use_bias:
        layer_on_grid.bias.assign(layer.bias)


def bake(model: Any, twin: Any) -> None:
    """Write the trained weights of the gridded copy into a model: plain weights that lie on the
    grid.

    Args:
        twin: a model with a layer of the same name for each layer that has weights.
    """
    for layer in model.layers:
        if not layer.weights:
            continue
        learnt = twin.get_layer(layer.name)
        if hasattr(learnt, "grid"):
            kernel = learnt.on_grid()
            layer.set_weights([kernel, *([learnt.bias.numpy()] if layer.use_bias else [])])
        else:
            layer.set_weights(learnt.get_weights())


@cache
def gridded_class(kind: str) -> Any:
    """Return the class of layers of one kind whose kernel is rounded whenever it is read."""
    import keras
    import tensorflow as tf

    base, depthwise = getattr(keras.layers, kind), kind in DEPTHWISE

    class Gridded(base):  # type: ignore[misc,valid-type]
        """The trained variable is the kernel with all output channels scaled to the same size, so
        that one learning rate suits all.
        """

        grid: KernelGrid

        def build(self, shape: Any) -> None:
            super().build(shape)
            whole = tuple(self.trained.shape)
            one = self._ones(whole, True)
            scales = int(np.prod(self._ones(whole, self.grid.per_channel)))
            self.size = self.add_weight(name="size", shape=one, initializer="ones", trainable=False)
            self.mask = self.add_weight(
                name="mask", shape=whole, initializer="ones", trainable=False
            )
            self.log_scale = self.add_weight(name="log_scale", shape=(scales,), initializer="zeros")

        def _ones(self, whole: tuple[int, ...], per_channel: bool) -> tuple[int, ...]:
            shared = self.grid.axes(whole, per_channel)
            return tuple(1 if axis in shared else size for axis, size in enumerate(whole))

        @property
        def trained(self) -> Any:
            """The variable that stands for the kernel."""
            return self.variable_set if depthwise else self._kernel

        @property
        def kernel(self) -> Any:
            """The kernel on its grid, in the layer's compute type."""
            return tf.cast(self._rounded(), self.compute_dtype)

        @kernel.setter
        def kernel(
            self, variable: Any
        ) -> None:  # depthwise layers set it, the others keep it as _kernel
            self.variable_set = variable

        def _rounded(self) -> Any:
            values = (self.trained, self.size, self.mask, self.log_scale)
            trained, size, mask, log_scale = (
                tf.cast(tf.convert_to_tensor(v), tf.float32) for v in values
            )
            weight, whole, top = trained * size * mask, tuple(trained.shape), self.grid.highest
            axes = self.grid.axes(whole, self.grid.per_channel)
            largest = tf.stop_gradient(tf.reduce_max(tf.abs(weight), axes, keepdims=True))
            learnt = tf.reshape(tf.exp(log_scale), self._ones(whole, self.grid.per_channel))
            scale = tf.minimum(learnt, tf.maximum(largest, SMALLEST) / top)
            exact = tf.clip_by_value(weight / scale, -top, top)
            return (tf.stop_gradient(tf.round(exact) - exact) + exact) * scale

        def on_grid(self) -> Array:
            """Return the kernel after training: exact products of integers and scales."""
            return np.asarray(self._rounded())

    Gridded.__name__ = f"Gridded{kind}"
    return Gridded


def grids(
    model: Any, bits: int, per_channel: bool, depthwise_bits: int, keep_zeros: bool
) -> Mapping[str, KernelGrid]:
    """Return layer -> grid, for each layer of a model that has one.

    Args:
        depthwise_bits: bits for depthwise convolutions, which some number formats only support with
            8; 0 keeps them in float.
    """
    grid_of_layer = {}
    for name, layer in weighted(model).items():
        depthwise = kind_of(layer) in DEPTHWISE
        if width := depthwise_bits if depthwise else bits:
            grid_of_layer[name] = KernelGrid(width, per_channel, depthwise, keep_zeros)
    return grid_of_layer
