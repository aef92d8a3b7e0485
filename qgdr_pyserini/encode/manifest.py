"""``qgdr.json``: what an index holds and which encoder made it."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
from pathlib import Path
from typing import Any

from qgdr_pyserini.files import atomic_text

PACKAGES = ("qgdr-pyserini", "faiss-cpu", "torch", "transformers")


@dataclasses.dataclass(frozen=True, slots=True)
class IndexManifest:
    """What is written beside an index.

    Parameters
    ----------
    encoder, fingerprint
        Name and digest of the encoder; queries have to be encoded by the same.
    dimension
        Number of components of a vector.
    pooling, normalized
        How the encoder makes vectors.
    max_length
        Tokens beyond which passages were cut off.
    precision
        In which the vectors were computed.
    index_type
        The kind of FAISS index, as ``flat``.
    passages
        How many there are.
    """

    encoder: str
    fingerprint: str
    dimension: int
    pooling: str
    normalized: bool
    max_length: int
    precision: str
    index_type: str
    passages: int

    def write(self, path: Path) -> None:
        """Write it, with the versions of the packages at work."""
        content: dict[str, Any] = dataclasses.asdict(self) | {"versions": _versions()}
        with atomic_text(path) as file:
            json.dump(content, file, indent=2)
            file.write("\n")


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "unknown"  # a faiss built from source, say
    return found
