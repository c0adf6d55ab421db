"""Training of a PyTorch model, in place."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from lab.finetuning.loop import AfterStep, Progress, course, gives_shares
from lab.formats.feeding import fit_items
from lab.formats.torch_export.threads import use_threads
from lab.plugs import Array, Context, TrainingSet

WEIGHT_DECAY = 0.01
BATCH, IMAGE_AXES = 256, 4


def fit(
    model: Any,
    context: Context,
    params: Mapping[str, Any],
    *,
    phase: str = "train",
    after_step: AfterStep | None = None,
    steps: int | None = None,
) -> Progress:
    """Train with AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101), gradients clipped to a norm of
    1.

    Args:
        model: torch.nn.Module with one input, batch axis first; it is in evaluation mode at the
            end.
        params: the options of `lab.finetuning.options.TRAINING`.
        phase: name of the checkpoint; a technique that trains several times uses several.
        after_step: function (steps done, total steps), called after each optimizer step; its state
            must be in the model's buffers.
        steps: number of steps, instead of the option `train_steps`.

    Raises:
        InvalidFile: there are no training data, or the data do not fit the model.
    """
    import torch

    with _threads(), torch.random.fork_rng([]):
        learner = _Learner(model, context, params)
        progress = course(learner, context, learner.data, params, phase, steps, after_step)
        learner.leave()
    return progress


@contextmanager
def _threads() -> Iterator[None]:
    """Use the number of threads of the job: sums over another number of threads round
    differently.
    """
    import torch

    before = torch.get_num_threads()
    use_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    try:
        yield
    finally:
        use_threads(before)


def _teacher_of(context: Context) -> Any:
    """Return the recipe's first model, in inference mode.

    Raises:
        InvalidFile: torch cannot read it.
    """
    from lab.formats.torch_export.files import load_program

    return load_program(Path(context.card.path)).module(check_guards=False)


class _Learner:
    """Learner of PyTorch models; see `lab.finetuning.loop.Learner`."""

    def __init__(self, model: Any, context: Context, params: Mapping[str, Any]) -> None:
        import torch

        self.model, self.params = model, params
        self.data: TrainingSet = context.training()
        self.images = self.data.x.ndim == IMAGE_AXES
        if self.images:  # convolutions train in two thirds of the time
            model.to(memory_format=torch.channels_last)
        self.teacher = _teacher_of(context) if params["distillation"] else None
        self.optimizer = torch.optim.AdamW(_groups(model), lr=params["learning_rate"])
        self.kept: Any = None
        self.shares = self.data.learns == "classes" and gives_shares(self._outputs().numpy())

    def step(self, rows: Array, rate: float, seed: int) -> float:
        import torch

        torch.manual_seed(seed)
        x, y = self._items(self.data.x[rows]), torch.from_numpy(self.data.y[rows])
        x = self._varied(x)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.model.train()
        loss = self._loss(x, y)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return float(loss.detach())

    def _items(self, x: Array) -> Any:
        import torch

        return self._laid_out(torch.from_numpy(fit_items(x, (None, *x.shape[1:]))))

    def _laid_out(self, x: Any) -> Any:
        import torch

        return x.contiguous(memory_format=torch.channels_last) if self.images else x

    def _varied(self, x: Any) -> Any:
        """Return augmented items; a batch that augmentation shortened is padded with zeros."""
        import torch

        if self.data.augment is None:
            return x
        varied = self.data.augment(x)
        short = [
            part
            for a, b in zip(x.shape[:0:-1], varied.shape[:0:-1], strict=True)
            for part in (0, a - b)
        ]
        return self._laid_out(torch.nn.functional.pad(varied, short) if any(short) else varied)

    def _loss(self, x: Any, y: Any) -> Any:
        import torch

        with torch.autocast("cpu", torch.bfloat16, enabled=self.params["bf16"]):
            outputs = self.model(x)
        loss = own_loss(outputs.float(), x, y, self.data, self.shares, self.data.smoothing)
        share = self.params["distillation"]
        if self.teacher is None:
            return loss
        with torch.no_grad():
            taught = self.teacher(x)
        return (1 - share) * loss + share * self._distance(outputs.float(), taught)

    def _distance(self, outputs: Any, taught: Any) -> Any:
        """Return the distillation loss: for classes between softened probabilities, weighted like
        the hard loss by temperature squared.
        """
        import torch

        if self.data.learns != "classes":
            return torch.nn.functional.mse_loss(outputs, taught)
        t = self.params["temperature"]
        soft, hard = (
            torch.log_softmax(_logits(answers, self.shares) / t, 1) for answers in (outputs, taught)
        )
        return (
            t * t * torch.nn.functional.kl_div(soft, hard, reduction="batchmean", log_target=True)
        )

    def look(self) -> dict[str, float]:
        import torch

        outputs, x, y = (
            self._outputs(),
            torch.from_numpy(self.data.x_check),
            torch.from_numpy(self.data.y_check),
        )
        with torch.no_grad():
            metrics = {"check_loss": float(own_loss(outputs, x, y, self.data, self.shares))}
        if self.data.learns == "classes":
            metrics["accuracy"] = float((outputs.argmax(1) == y).float().mean())
        return metrics

    def _outputs(self) -> Any:
        """Return the inference outputs for the held-out items."""
        import torch

        self.model.eval()
        with torch.no_grad():
            x = self.data.x_check
            return torch.cat(
                [self.model(self._items(x[at : at + BATCH])) for at in range(0, len(x), BATCH)]
            )

    def save(self, file: Path) -> None:
        import torch

        torch.save(
            {
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "kept": self.kept,
            },
            file,
        )

    def load(self, file: Path) -> None:
        import torch

        state = torch.load(file, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.kept = state["kept"]

    def keep(self) -> None:
        self.kept = deepcopy(self.model.state_dict())

    def back(self) -> None:
        if self.kept is not None:
            self.model.load_state_dict(self.kept)

    def leave(self) -> None:
        """Restore the state that others expect: evaluation mode, default memory layout of weights,
        no gradients.
        """
        import torch

        self.model.eval().to(memory_format=torch.contiguous_format)
        self.optimizer.zero_grad(set_to_none=True)


def own_loss(
    outputs: Any, x: Any, y: Any, data: TrainingSet, shares: bool, smoothing: float = 0.0
) -> Any:
    """Return the loss against the truth: cross-entropy for classes, else the mean squared error.

    Args:
        outputs: outputs of a model, (items, …).
        x: its inputs, which are the target of autoencoders.
        y: truth.
        shares: True if outputs are probabilities, see `lab.finetuning.loop.gives_shares`.
        smoothing: share of the label that is spread over all classes.
    """
    import torch

    if data.learns == "classes":
        return torch.nn.functional.cross_entropy(
            _logits(outputs, shares), y, label_smoothing=smoothing
        )
    return torch.nn.functional.mse_loss(outputs, x if data.learns == "inputs" else y.float())


def _logits(outputs: Any, shares: bool) -> Any:
    """Return logits; a model that ends in a softmax returns probabilities, whose logarithms serve
    as logits.
    """
    return (outputs + 1e-7).log() if shares else outputs


def _groups(model: Any) -> list[dict[str, Any]]:
    """Return parameter groups: matrices and kernels have weight decay; biases and scales of
    normalisations do not.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
