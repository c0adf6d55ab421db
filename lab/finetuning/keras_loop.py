"""Training of a Keras 3 model on TensorFlow, in place."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from lab.finetuning.loop import AfterStep, Progress, course, gives_shares
from lab.finetuning.torch_loop import BATCH, WEIGHT_DECAY
from lab.lazy import np
from lab.plugs import Array, Context, TrainingSet


def fit(
    model: Any,
    context: Context,
    params: Mapping[str, Any],
    *,
    phase: str = "train",
    after_step: AfterStep | None = None,
    steps: int | None = None,
) -> Progress:
    """Train with AdamW, gradients clipped to a norm of 1; see `lab.finetuning.torch_loop.fit`.

    Args:
        model: keras.Model, or one of tf_keras without bf16, with one input; its compile arguments
            are not used.
        after_step: its state must be in the model's variables.

    Raises:
        InvalidFile: there are no training data, or the data do not fit the model.
    """
    learner = _Learner(model, context, params)
    try:
        return course(learner, context, learner.data, params, phase, steps, after_step)
    finally:
        learner.leave()


def _teacher_of(context: Context) -> Any:
    """Return a function that computes the outputs of the recipe's first model; it is compiled,
    since running layer by layer takes longer than the training.
    """
    import tensorflow as tf

    from lab.formats.keras.files import load_keras

    model = load_keras(Path(context.card.path))
    return tf.function(lambda x: model(x, training=False), reduce_retracing=True)


class _Learner:
    """Learner of Keras models; see `lab.finetuning.loop.Learner`."""

    def __init__(self, model: Any, context: Context, params: Mapping[str, Any]) -> None:
        self.model, self.params = model, params
        self.data: TrainingSet = context.training()
        self.teacher = _teacher_of(context) if params["distillation"] else None
        self.policies = [layer.dtype_policy for layer in model.layers]
        if params["bf16"]:
            for layer in model.layers:
                layer.dtype_policy = "mixed_bfloat16"
        adam = import_module(
            type(model).__module__.partition(".")[0]
        ).optimizers.AdamW  # of keras, or of tf_keras
        self.optimizer = adam(
            params["learning_rate"], weight_decay=WEIGHT_DECAY, global_clipnorm=1.0
        )
        self.optimizer.exclude_from_weight_decay(
            var_list=[v for v in model.trainable_variables if len(v.shape) < 2]
        )
        self.optimizer.build(model.trainable_variables)
        self.seeds = [v for v in model.variables if v.name == "seed_generator_state"]
        self.kept: list[Array] | None = None
        self.shares = self.data.learns == "classes" and gives_shares(self._outputs())
        self.compiled = self._compiled()

    def _compiled(self) -> Any:
        import tensorflow as tf

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
        def learn(x: Any, y: Any, taught: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = self._loss(tf.cast(self.model(x, training=True), tf.float32), x, y, taught)
            variables = self.model.trainable_variables
            self.optimizer.apply_gradients(
                zip(tape.gradient(loss, variables), variables, strict=True)
            )
            return loss

        return learn

    def step(self, rows: Array, rate: float, seed: int) -> float:
        import tensorflow as tf

        if (
            self.data.augment is not None
        ):  # expensive: TensorFlow drops its kernels; dropout has its own seeds
            tf.random.set_seed(seed)
        for number, state in enumerate(self.seeds):
            state.assign(np.asarray([seed, number], np.uint32))
        x, y = tf.convert_to_tensor(self.data.x[rows]), tf.convert_to_tensor(self.data.y[rows])
        x = x if self.data.augment is None else self.data.augment(x)
        self.optimizer.learning_rate = rate
        taught = self.teacher(x) if self.teacher else tf.zeros(())
        return float(self.compiled(x, y, taught))

    def _loss(self, outputs: Any, x: Any, y: Any, taught: Any) -> Any:
        share = self.params["distillation"]
        loss = own_loss(outputs, x, y, self.data, self.shares, self.data.smoothing)
        return (1 - share) * loss + share * self._distance(outputs, taught) if share else loss

    def _distance(self, outputs: Any, taught: Any) -> Any:
        import tensorflow as tf

        if self.data.learns != "classes":
            return tf.reduce_mean((outputs - taught) ** 2)
        t = self.params["temperature"]
        soft, hard = _logs(outputs, self.shares, t), _logs(taught, self.shares, t)
        return t * t * tf.reduce_mean(tf.reduce_sum(tf.exp(hard) * (hard - soft), 1))

    def look(self) -> dict[str, float]:
        x, outputs = self.data.x_check, self._outputs()
        metrics = {
            "check_loss": float(own_loss(outputs, x, self.data.y_check, self.data, self.shares))
        }
        if self.data.learns == "classes":
            metrics["accuracy"] = float((outputs.argmax(1) == self.data.y_check).mean())
        return metrics

    def _outputs(self) -> Array:
        """Return the inference outputs for the held-out items."""
        x = self.data.x_check
        parts = [
            np.asarray(self.model(x[at : at + BATCH], training=False), np.float32)
            for at in range(0, len(x), BATCH)
        ]
        return np.concatenate(parts)

    def _variables(self) -> list[Any]:
        return [*self.model.variables, *self.optimizer.variables]

    def save(self, file: Path) -> None:
        arrays: dict[str, Any] = {f"v{n}": v.numpy() for n, v in enumerate(self._variables())}
        arrays |= {f"k{n}": value for n, value in enumerate(self.kept or ())}
        with file.open("wb") as stream:
            np.savez(stream, **arrays)

    def load(self, file: Path) -> None:
        with np.load(file) as state:
            for n, variable in enumerate(self._variables()):
                variable.assign(state[f"v{n}"])
            self.kept = [
                state[name]
                for name in sorted((k for k in state if k[0] == "k"), key=lambda k: int(k[1:]))
            ] or None

    def keep(self) -> None:
        self.kept = self.model.get_weights()

    def back(self) -> None:
        if self.kept is not None:
            self.model.set_weights(self.kept)

    def leave(self) -> None:
        """Restore the layers' compute types."""
        if self.params["bf16"]:
            for layer, policy in zip(self.model.layers, self.policies, strict=True):
                layer.dtype_policy = policy


def own_loss(
    outputs: Any, x: Any, y: Any, data: TrainingSet, shares: bool, smoothing: float = 0.0
) -> Any:
    """Return the loss; see `lab.finetuning.torch_loop.own_loss`."""
    import tensorflow as tf

    if data.learns == "classes":
        classes = outputs.shape[-1]
        hot = tf.one_hot(tf.cast(y, tf.int32), classes) * (1 - smoothing) + smoothing / classes
        return -tf.reduce_mean(tf.reduce_sum(hot * _logs(outputs, shares, 1.0), 1))
    return tf.reduce_mean((outputs - tf.cast(x if data.learns == "inputs" else y, tf.float32)) ** 2)


def _logs(outputs: Any, shares: bool, temperature: float) -> Any:
    """Return the logarithms of probabilities; a model that ends in a softmax returns probabilities
    already.
    """
    import tensorflow as tf

    logits = tf.math.log(outputs + 1e-7) if shares else outputs
    return tf.nn.log_softmax(logits / temperature)
