"""Anything that can score by its name: a dual encoder, a query generator, a cross-encoder."""

from __future__ import annotations

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.dual_encoder_teacher import DualEncoderTeacher
from qgdr_pyserini.model.precision import Precision
from qgdr_pyserini.model.registry import find_own_encoder
from qgdr_pyserini.model.teacher import Teacher
from qgdr_pyserini.model.teachers import load_teacher


def load_scorer(
    name: str, *, device: str = "cpu", precision: Precision = "fp32", batch_size: int = 32
) -> Teacher:
    """Load one of our encoders, by name or folder, as `DualEncoderTeacher`; others as `load_teacher` does.

    Parameters
    ----------
    name
        An encoder's name or folder, a hub name, or a teacher's folder.
    device
        ``cpu``, ``cuda``, ``cuda:1``, …
    precision
        Of the weights and of what is computed.
    batch_size
        Passages, or pairs, computed at a time.

    Raises
    ------
    QgdrError
        If there is nothing of that name, it cannot be loaded, or the device is absent.
    """
    try:
        folder = find_own_encoder(name)
    except QgdrError:
        return load_teacher(name, device=device, precision=precision, batch_size=batch_size)
    encoder = DualEncoder.from_pretrained(folder, device)
    return DualEncoderTeacher(encoder, precision=precision, batch_size=batch_size)
