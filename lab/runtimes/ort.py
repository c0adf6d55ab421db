"""ONNX Runtime: the runtime of servers, desktops and many phones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.errors import InvalidFile
from lab.evidence import Profile
from lab.formats.batching import BATCH, batch_size, with_batch
from lab.formats.onnx.sessions import CPU, LEVELS, PROVIDERS, onnxruntime, open_session, providers
from lab.formats.refusals import ORT, refusal
from lab.formats.threads import THREADS
from lab.options import Option
from lab.plugs import Array, Runtime, TensorInfo

_DTYPES = {"float": "float32", "double": "float64"}


def _preload() -> None:
    onnxruntime()


class OrtSession:
    """Session of one model in ONNX Runtime, with its only input and its first output."""

    def __init__(
        self, path: str, threads: int = 1, level: str = "all", provider: str = CPU, batch: int = 1
    ) -> None:
        self._session = open_session(path, threads, level, provider)
        self._feed, self._fetch = _the_only_input(self._session), self._session.get_outputs()[0]
        self.input, self.output = with_batch(_info(self._feed), batch), _info(self._fetch)
        self._name, self._outputs, self._run = (
            self._feed.name,
            [self._fetch.name],
            self._session.run,
        )
        self._path = path

    def prepare(self, x: Array) -> Array:
        """Return the batch in the model's input type."""
        return x.astype(self.input.dtype, order="C", copy=False)

    def run(self, x: Array) -> Array:
        """Run the model on a batch; shape (batch, *input) -> (batch, *output)."""
        try:
            output: Array = self._run(self._outputs, {self._name: x})[0]
        except Exception as error:
            raise refusal("ONNX Runtime", str(error), self._path, ORT) from error
        return output


def _the_only_input(session: Any) -> Any:
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise InvalidFile(
            "The model must have exactly one input", allowed="1", given=[i.name for i in inputs]
        )
    return inputs[0]


def _info(argument: Any) -> TensorInfo:
    name = argument.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(size if isinstance(size, int) and size > 0 else None for size in argument.shape)
    return TensorInfo(shape, _DTYPES.get(name, name))


def _load(path: str, options: Mapping[str, Any]) -> OrtSession:
    level, provider = options.get("graph_optimization", "all"), options.get("provider", CPU)
    return OrtSession(
        str(path), int(options.get("threads", 1)), level, provider, batch_size(options)
    )


def _profile(path: str, options: Mapping[str, Any], item: Array, runs: int) -> Profile:
    from lab.runtimes._ort_profile import profile

    return profile(_load(path, options), path, options, item, runs)


RUNTIME = Runtime(
    id="ort",
    title="ONNX Runtime",
    help=(
        "Runs ONNX files with Microsoft's CPU kernels, or on the devices of its execution"
        " providers. Supports any batch size if the model does."
    ),
    formats=("onnx",),
    preload=_preload,
    load=_load,
    options=(
        THREADS,
        Option(
            id="graph_optimization",
            label="Graph optimization",
            kind="choice",
            default="all",
            choices=tuple(LEVELS),
            help=(
                "Sets how far operators are fused at loading: not at all, into standard operators"
                " only, also into ONNX Runtime's own operators, or with all optimizations, which"
                " also adapt the tensor layout to this CPU. Fused operators round differently."
            ),
            sweep={"full": ("all", "disabled")},
        ),
        BATCH,
        Option(
            id="provider",
            label="Execution provider",
            kind="choice",
            default=CPU,
            choices=tuple(PROVIDERS),
            help=(
                "Selects the provider that computes the operators; operators that it does not"
                " support run on the CPU."
            ),
        ),
    ),
    providers=providers,
    profile=_profile,
    requires=("onnxruntime",),
    version_of="onnxruntime",
)
