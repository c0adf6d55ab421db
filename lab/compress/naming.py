"""Names of variants, built from the technique and its options; `lab.spec.recipes` joins the names
of a recipe's steps.

    <mode>_wi<N>_a<type>[_<settings that differ from the defaults>…]        fp16

    mode      static      weights and activations are integers, ranges come from calibration data
              dynamic     weights are integers, activations become integers while the model runs
              weight_only weights are stored as integers and computed as floats
    wi<N>     weights are N-bit integers
    a<type>   ai8, ai16: activations are 8- or 16-bit integers; afp32: they stay float in the file
    fp16      weights are 16-bit floats; fp16_weights: in an OpenVINO file, whose runtime
              chooses the precision
    bf16      weights are bfloat16: 16-bit floats with the range of 32-bit ones
    wnf4, wcb4, wnvfp4  weights are 4-bit floats (weight_only)
    fused_<level>  operators are fused, weights stay unchanged

Suffixes come in this order, and a default is not named: `qnnpack` or `onednn` (PyTorch's engine),
`u8s8`, `s8s8` or `u8u8` (signedness of activations and weights), `per_channel`, `per_tensor` or
`block<N>` (one scale for N neighbouring weights), `reduced` (7-bit weights), `asymmetric`
(weights), `symmetric` (activations), `octav`, `mse`, `gptq`, `oscar`, `hadamard` or
`hadamard_builtin` (how the integers of a weight are chosen), `minmax`, `entropy`, `percentile` or
`average` (calibration), `dense` (convolutions stay float), `no_preprocess`, `n<N>` (calibration
items), `seed<N>` (choice of the items), `noise` or `batch_norm` (items made without data),
`io_<type>` (inputs and outputs of another type than the activations), `ops_…` (the only operator
types that are quantized), `only_…`, `float_…` and `wide_…` (the only layers that are quantized,
layers that stay float, layers with 16-bit activations), `nncf` or `nncf_onnx` (written by NNCF for
OpenVINO or for ONNX; followed by `accuracy`, `drop<share>` and `validated<N>` for an allowed drop,
`mixed` (asymmetric activations), `full_bias` or `no_bias` (bias correction), `transformer`,
`alpha<strength>` (SmoothQuant), `half_range` or `full_range` (7-bit or 8-bit weights in all
layers), `sym`, `channel` or `g<N>` (weights that share a scale), `r<share>` (of weights below 8
bits), `all_layers`), `float_fallback` (operators without an integer kernel stay in float), `tf`
(written by TensorFlow's own converter). Examples: `static_wi8_ai8_s8s8_per_channel_entropy_n512`
(ONNX) and `dynamic_wi4_afp32_block32_octav` (TFLite).

The terms follow ai-edge-quantizer's `recipe.py`.
"""

from __future__ import annotations

CALIBRATION_SAMPLES = 128


def speaking_name(base: str, *suffixes: str | None) -> str:
    """Join a base name with the suffixes that are not empty.

    >>> speaking_name("static_wi8_ai8", None, "per_channel", "")
    'static_wi8_ai8_per_channel'
    """
    return "_".join(part for part in (base, *suffixes) if part)
