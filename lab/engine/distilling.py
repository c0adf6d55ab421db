"""Calibration items without data: inputs that a model's batch normalisations find usual.

A batch normalisation remembers mean and variance of each channel over the training set. Starting
from noise, inputs are changed by gradient descent until the channels that they cause have these
means and variances.

Source: Y. Cai et al.: ZeroQ, A Novel Zero Shot Quantization Framework, CVPR 2020
(arXiv:2001.00281).

`python -m lab.engine.distilling MODEL FORMAT N SEED LOW HIGH OUT.npy` writes them, so that whoever
asks loads no framework.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lab.errors import InvalidFile, LabError
from lab.lazy import np
from lab.plugs import Array

STEPS, RATE = 80, 0.1
MOST = 32
"""Items that are made at most: as many as in the paper; each takes a forward and a backward pass a
step.
"""

EVERY = "a Keras or PyTorch model with batch normalisations"


def distilled(path: Path, format_: str, n: int, seed: int, low: float, high: float) -> Array:
    """Inputs as the model takes them, shape (n, *input) with n at most MOST, float32 within low …
    high.

    Raises:
        InvalidFile: the format has no gradients, or the model no batch normalisation.
    """
    makers = {"torch_export": _with_torch, "keras": _with_keras}
    if format_ not in makers:
        raise InvalidFile(
            "Batch normalisations are folded away in this format", allowed=EVERY, given=format_
        )
    return makers[format_](path, min(n, MOST), np.random.default_rng(seed), low, high)


def _start(shape: tuple[int, ...], rng: Any, low: float, high: float) -> Array:
    return np.asarray(rng.uniform(low, high, shape), np.float32)


def _with_torch(path: Path, n: int, rng: Any, low: float, high: float) -> Array:
    import torch

    from lab.formats.torch_export.files import example, load_program

    program = load_program(path)
    if (item := example(program, 1)).dtype != torch.float32:
        raise InvalidFile(
            "Only inputs that are real numbers have gradients",
            allowed="float32",
            given=str(item.dtype),
        )
    module, targets = (
        program.module(check_guards=False).requires_grad_(False),
        _torch_norms(program),
    )
    torch.set_num_threads(1)  # as many jobs run at once as there are cores
    x = torch.from_numpy(_start((n, *item.shape[1:]), rng, low, high)).requires_grad_()
    optimizer = torch.optim.Adam([x], lr=RATE * (high - low) / 2)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = _torch_distance(module, targets, x)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            x.clamp_(low, high)
    return np.asarray(x.detach().numpy())


def _torch_norms(program: Any) -> list[str]:
    """Names of the nodes that normalise a batch."""
    found = [node.name for node in program.graph.nodes if "batch_norm" in str(node.target)]
    if not found:
        raise InvalidFile("This model has no batch normalisation", allowed=EVERY, given="none")
    return found


def _torch_distance(module: Any, targets: list[str], x: Any) -> Any:
    """Sum over normalisations of the distances of mean and of standard deviation from what they
    remember.
    """
    import torch

    distances = []

    class Watcher(torch.fx.Interpreter):  # type: ignore[misc]
        def run_node(self, node: Any) -> Any:
            if node.name in targets:
                given, mean, variance = (self.env[node.args[i]] for i in (0, 3, 4))
                axes = [a for a in range(given.ndim) if a != 1]
                distances.append((given.mean(axes) - mean).square().mean())
                distances.append(
                    (given.var(axes, correction=0).sqrt() - variance.sqrt()).square().mean()
                )
            return super().run_node(node)

    Watcher(module).run(x)
    return torch.stack(distances).sum()


def _with_keras(path: Path, n: int, rng: Any, low: float, high: float) -> Array:
    from lab.formats.keras.files import load_keras, tensorflow

    tf, model = tensorflow(), load_keras(path)
    import keras

    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    if not norms:
        raise InvalidFile("This model has no batch normalisation", allowed=EVERY, given="none")
    inside = keras.Model(model.inputs, [layer.input for layer in norms])
    x = tf.Variable(_start((n, *model.inputs[0].shape[1:]), rng, low, high))
    optimizer = keras.optimizers.Adam(RATE * (high - low) / 2)

    @tf.function  # type: ignore[untyped-decorator]
    def step() -> None:
        with tf.GradientTape() as tape:
            seen = inside(x, training=False)
            loss = sum(
                _keras_distance(tf, s, layer) for s, layer in zip(_listed(seen), norms, strict=True)
            )
        gradient = tape.gradient(loss, x)
        optimizer.apply_gradients([(gradient, x)])
        x.assign(tf.clip_by_value(x, low, high))

    optimizer.build([x])
    for _ in range(STEPS):
        step()
    return np.asarray(x.numpy())


def _listed(seen: Any) -> list[Any]:
    return list(seen) if isinstance(seen, list | tuple) else [seen]


def _keras_distance(tf: Any, given: Any, norm: Any) -> Any:
    mean, variance = tf.nn.moments(given, list(range(len(given.shape) - 1)))
    return tf.reduce_mean((mean - norm.moving_mean) ** 2) + tf.reduce_mean(
        (tf.sqrt(variance + 1e-12) - tf.sqrt(norm.moving_variance)) ** 2
    )


if __name__ == "__main__":
    model, kind, *numbers, target = sys.argv[1:]
    try:
        np.save(
            target,
            distilled(
                Path(model), kind, int(numbers[0]), int(numbers[1]), *map(float, numbers[2:])
            ),
        )
    except LabError as problem:
        sys.exit(str(problem))
