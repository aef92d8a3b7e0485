"""Reading the FAISS file of an index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch  # noqa: F401  before faiss, see flat_index

# isort: split
import faiss

from qgdr_pyserini.errors import InputError


def open_index(index: Path) -> Any:
    """Read the FAISS index in the directory ``index``.

    Raises
    ------
    InputError
        If it is missing or damaged.
    """
    path = index / "index"
    try:
        return faiss.read_index(str(path))
    except RuntimeError:
        raise InputError("missing or damaged; encode the corpus again", path) from None
