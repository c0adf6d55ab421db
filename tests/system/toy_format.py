"""A whole new file format in three files, as a test drops them into a copy of the checkout.

A .toy file holds one linear layer: 4 bytes of magic, two uint32 (outputs, inputs), then weights
(outputs, inputs) and bias (outputs) as float32, little-endian.
"""

FORMAT = '''"""Toy files, dropped in by a test."""

from pathlib import Path

from lab.evidence import Anatomy, OperatorFacts
from lab.plugs import Format, Loading
from lab.types import Layer

MAGIC = b"TOY1"
HEADER = 12


def read(path):
    """Return weights (outputs, inputs) and bias (outputs)."""
    import numpy as np

    content = Path(path).read_bytes()
    rows, columns = np.frombuffer(content, "<u4", 2, 4)
    numbers = np.frombuffer(content, "<f4", offset=HEADER)
    return numbers[: rows * columns].reshape(rows, columns), numbers[rows * columns :]


def write(path, weight, bias):
    """Write one linear layer."""
    import numpy as np

    shape = np.asarray(weight.shape, "<u4").tobytes()
    numbers = [np.asarray(part, "<f4").tobytes() for part in (weight, bias)]
    path.write_bytes(b"".join([MAGIC, shape, *numbers]))
    return path


def _ends(path):
    weight, _ = read(path)
    return [
        {"name": name, "shape": [None, size], "dtype": "float32"}
        for name, size in zip(("output", "input"), weight.shape)
    ]


def _inspect(path):
    weight, bias = read(path)
    output, input_ = _ends(path)
    return {"inputs": [input_], "outputs": [output], "parameters": weight.size + bias.size,
            "macs": weight.size, "operators": {"Linear": 1}, "float_operators": {}}


def _layers(path):
    weight, bias = read(path)
    shape = (len(bias),)
    return [Layer("linear", "Linear", shape, weight.size + bias.size, weight.size, 4 * len(bias))]


def _anatomy(path):
    weight, bias = read(path)
    count = weight.size + bias.size
    parts = {"weights": 4 * count, "embeddings": 0, "scales": 0, "constants": 0, "structure": HEADER}
    operator = OperatorFacts("linear", "Linear", "compute", "float32", "float32", count, 4 * count,
                             macs=weight.size)
    return Anatomy("toy", HEADER + 4 * count, parts, (operator,), 0, (4 * len(bias),))


def _lines(file, facts):
    return f"""\\
content = open({file!r}, "rb").read()
rows, columns = np.frombuffer(content, "<u4", 2, 4)
numbers = np.frombuffer(content, "<f4", offset={HEADER})
weight, bias = numbers[: rows * columns].reshape(rows, columns), numbers[rows * columns :]

def run(x):
    return x @ weight.T + bias
"""


FORMAT = Format(
    id="toy", title="Toyfile", help="One linear layer, for tests.", suffixes=(".toy",),
    recognises=lambda path, head: head.startswith(MAGIC), source=True,
    inspect=_inspect, anatomy=_anatomy, layers=_layers, loading=lambda: Loading(("numpy",), _lines),
)
'''

RUNTIME = '''"""Runs toy files, dropped in by a test."""

from lab.formats.batching import BATCH, batch_size, with_batch
from lab.options import Option
from lab.plugs import Runtime, TensorInfo

THREADS = Option(id="threads", label="Threads", kind="int", default=1, low=1, high=8,
                 affects_output=False, help="Threads.")


class Session:
    """One linear layer in numpy."""

    def __init__(self, path, batch):
        from lab.formats.toy import read

        self.weight, self.bias = read(path)
        outputs, inputs = self.weight.shape
        self.input = with_batch(TensorInfo((None, inputs), "float32"), batch)
        self.output = TensorInfo((None, outputs), "float32")

    def prepare(self, x):
        """Cast to float32."""
        return x.astype("float32")

    def run(self, x):
        """Shape (batch, inputs) -> (batch, outputs)."""
        return x @ self.weight.T + self.bias


RUNTIME = Runtime(
    id="toy", title="Toy runtime", help="Runs toy files in numpy.", formats=("toy",),
    preload=lambda: None, load=lambda path, options: Session(path, batch_size(options)),
    options=(THREADS, BATCH), requires=("numpy",), version_of="numpy",
)
'''

CONVERSION = '''"""ONNX to toy files, dropped in by a test."""

from lab.plugs import Technique


def _apply(source, params, context):
    import onnx
    from onnx import numpy_helper

    from lab.formats.toy import write

    stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(str(source)).graph.initializer}
    return write(context.workdir / "model.toy", stored["weight"], stored["bias"])


TECHNIQUE = Technique(
    id="onnx_to_toy", title="ONNX to Toyfile", help="Writes the one linear layer of an ONNX file.",
    accepts=("onnx",), produces="toy", apply=_apply, requires=("onnx",), conversion=True,
)
'''

PAGE = """
import sys
from streamlit.testing.v1 import AppTest
import lab

app = AppTest.from_file("streamlit_app.py", default_timeout=120)
lab.ensure_engine = lab.example_study = lambda: None
app.run().switch_page("pages/sweep.py")
app.query_params["model"] = "small"
app.run()
assert not app.exception, app.exception
texts = [str(getattr(e, "label", "")) + str(getattr(e, "options", "")) + str(getattr(e, "value", ""))
         for e in app.main]
print("Toy runtime" in " ".join(texts))
"""


def drop(checkout) -> None:  # type: ignore[no-untyped-def]
    """Write the three files into a copy of the checkout."""
    (checkout.root / "lab" / "formats" / "toy").mkdir()
    checkout.drop("lab/formats/toy/__init__.py", FORMAT)
    checkout.drop("lab/runtimes/toy.py", RUNTIME)
    checkout.drop("lab/techniques/onnx_to_toy.py", CONVERSION)
