"""Whether queries and passages were encoded by the same encoder."""

from __future__ import annotations

import os
from pathlib import Path

from qgdr_pyserini.encode.manifest import MANIFEST, IndexManifest
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.registry import find_encoder

UNKNOWN = "unknown"
"""What an index's manifest says of an encoder that is none of ours."""


def refuse_other_encoder(index: str | os.PathLike[str], encoder: str) -> None:
    """Raise `QgdrError` if an index was made by another encoder than the one named.

    An index without a manifest, not made by this package, is let pass.
    """
    if (Path(index) / MANIFEST).is_file():
        folder = find_encoder(encoder)
        refuse_mismatch(index, folder.resolve().name, DualEncoder.from_pretrained(folder).fingerprint)


def refuse_mismatch(index: str | os.PathLike[str], name: str, fingerprint: str) -> None:
    """Raise `QgdrError` if an index was not made by the encoder with this fingerprint.

    Of imported vectors, nothing but their dimension may be known; they are let pass.
    """
    made = IndexManifest.read(Path(index))
    if made.fingerprint not in (fingerprint, UNKNOWN):
        raise QgdrError(
            f"{index}: encoded by {made.encoder} ({made.fingerprint}), "
            f"the queries by {name} ({fingerprint}): scores would mean nothing; use one encoder for both"
        )
