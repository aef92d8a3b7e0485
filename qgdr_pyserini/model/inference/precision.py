"""The number format that vectors are computed in."""

from __future__ import annotations

import torch
from torch import nn

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model import precision as model_precision
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.inference.int8 import Int8Linear, is_exact, weight_bits
from qgdr_pyserini.model.inference.packing import PackedLinear, pack, replace_linears
from qgdr_pyserini.model.inference.quantization import Quantization

PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")


def choose_precision(wanted: str, model: DualEncoder) -> tuple[str, str]:
    """Decide on a precision.

    Parameters
    ----------
    wanted
        One of `PRECISIONS`; ``auto`` measures matrix products on the encoder's device and takes bf16
        where it is at least 1.5 times as fast as fp32.
    model
        The encoder.

    Returns
    -------
    tuple of str and str
        The precision, and the reason for it.

    Raises
    ------
    QgdrError
        If the device cannot do what is wanted.
    """
    if wanted == "fp16" and model.device.type == "cpu":
        raise QgdrError("precision fp16 needs a GPU; on a CPU choose bf16, fp32 or int8")
    if wanted == "int8" and model.device.type != "cpu":
        raise QgdrError("precision int8 is for CPUs; on a GPU choose fp16, bf16 or fp32")
    if wanted != "auto":
        return wanted, "as asked"
    if not getattr(model.model.config, "num_hidden_layers", 1):
        return "fp32", "the encoder has no layers to speed up"
    rates = {dtype: matrix_rate(dtype, model.device) for dtype in (torch.float32, torch.bfloat16)}
    gain = rates[torch.bfloat16] / rates[torch.float32]
    reason = f"bf16 matrix products are {gain:.1f} times as fast as fp32 here"
    return ("bf16" if gain >= model_precision.WORTHWHILE else "fp32"), reason


def matrix_rate(dtype: torch.dtype, device: torch.device, *, rows: int = 1024, repeats: int = 8) -> float:
    """Measure matrix products as the encoding engine makes them, in floating-point operations a second."""
    product = _packed if device.type == "cpu" else None
    return model_precision.matrix_rate(dtype, device, product, rows=rows, repeats=repeats)


def _packed(linear: torch.nn.Linear, dtype: torch.dtype) -> torch.nn.Module:
    return PackedLinear(linear, dtype, result=dtype)


def set_precision(model: DualEncoder, precision: str, quantization: Quantization | None = None) -> None:
    """Have an encoder compute in a precision, in place; pooling stays in single precision.

    Parameters
    ----------
    model
        The encoder, in fp32.
    precision
        One of `PRECISIONS` but ``auto``.
    quantization
        For int8: which layers stay in fp32, as `calibrate` found it; none when None.

    Raises
    ------
    QgdrError
        If this processor or torch does not compute int8 as is wanted.
    """
    if precision == "int8":
        _quantize(model, quantization or Quantization(weight_bits()))
        return
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    if model.device.type == "cpu":
        pack(model.model, dtype)
    else:
        _narrow(model.model, dtype)


def lay_out(model: DualEncoder) -> DualEncoder:
    """Lay an encoder's weights out for this processor, in place, to encode in single precision.

    One query at a time is then up to 1.6 times as fast on a CPU; vectors differ in the last bits only.

    Parameters
    ----------
    model
        The encoder, which cannot be saved any more afterwards.

    Returns
    -------
    DualEncoder
        The same.
    """
    _ = model.fingerprint  # It is that of the weights as they were loaded, and is kept.
    set_precision(model, "fp32")
    return model


def _narrow(model: nn.Module, dtype: torch.dtype) -> None:
    """Turn weights into a type, in place, and leave the rest: bf16 is too coarse for rotary frequencies."""
    for weights in model.parameters():
        weights.data = weights.data.to(dtype)


def _quantize(model: DualEncoder, how: Quantization) -> None:
    if not is_exact(how.weight_bits):
        raise QgdrError(
            f"weights of {how.weight_bits} bits overflow in this processor's products; go on where it was "
            "begun, or start again with --overwrite"
        )

    def layer(name: str, linear: nn.Linear, gelu: bool) -> nn.Module:
        if how.keeps(name):
            return PackedLinear(linear, torch.float32, gelu=gelu)
        return Int8Linear(linear, how.weight_bits, gelu)

    replace_linears(model.model, layer)
