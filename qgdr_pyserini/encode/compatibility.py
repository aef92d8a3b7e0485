"""Whether queries and passages were encoded by the same encoder."""

from __future__ import annotations

import os
from pathlib import Path

from qgdr_pyserini.encode.manifest import MANIFEST, IndexManifest, Maker
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.registry import named_encoders
from qgdr_pyserini.model.towers import AND, Towers, find_towers

UNKNOWN = "unknown"
"""What an index's manifest says of an encoder that is none of ours."""


def maker(place: Path, manifest: IndexManifest) -> str:
    """Name the encoder that made an index, as `find_encoder` takes it.

    Raises
    ------
    QgdrError
        If the index does not say it, or there is none of that name: what was a folder's name there is no name
        on the hub.
    """
    name = manifest.encoder
    if name == UNKNOWN:
        raise QgdrError(f"{place}: does not say which encoder made it; name it with --encoder")
    for part in name.split(AND):
        if "/" not in part and not Path(part).is_dir() and part not in named_encoders():
            raise QgdrError(
                f"{place}: made by {name!r}, not to be found by this name; name it with --encoder"
            )
    return name


def refuse_other_encoder(index: str | os.PathLike[str], encoder: str) -> None:
    """Raise `QgdrError` if an index was made by another encoder than the one named.

    An index without a manifest, not made by this package, is let pass.
    """
    if (Path(index) / MANIFEST).is_file():
        towers = find_towers(encoder)
        agree_with_index(index, towers.name, DualEncoder.from_tower(towers.query))
        refuse_other_passage_tower(index, towers)


def agree_with_index(index: str | os.PathLike[str], name: str, encoder: DualEncoder) -> None:
    """Have an encoder make vectors as those in an index are made.

    What the encoder's own folder leaves open, such as pooling, is taken from the index. Of imported vectors,
    nothing but their dimension may be known; they are let pass.

    Parameters
    ----------
    index
        The index's folder, with its manifest.
    name
        The encoder's, for the message.
    encoder
        What encodes the queries.

    Raises
    ------
    QgdrError
        If another encoder made the index, or the same with other settings.
    """
    manifest = IndexManifest.read(Path(index))
    made = manifest.maker_of_queries
    if made.fingerprint == UNKNOWN:
        return
    if made.fingerprint == encoder.fingerprint:
        encoder.settle(encoder.config)
        return
    said = {key: value for key, value in made.settings.items() if key in encoder.left_open}
    config = encoder.config.model_copy(update=said)
    if encoder.fingerprint_with(config) == made.fingerprint:
        encoder.settle(config)
        return
    remedy = "use one encoder for both" if manifest.query_tower is None else "use the encoder for queries"
    how = "encoded by" if manifest.query_tower is None else f"encoded by {manifest.encoder}, for queries of"
    raise QgdrError(
        f"{index}: {how} {made.encoder} ({made.fingerprint}{_differences(made, encoder)}), "
        f"the queries by {name} ({encoder.fingerprint}): scores would mean nothing; {remedy}"
    )


def refuse_other_passage_tower(index: str | os.PathLike[str], towers: Towers) -> None:
    """Raise `QgdrError` where two towers are named, and another one than the second encoded the passages.

    Where both are called as the index says, nothing is loaded to find that out.
    """
    made = IndexManifest.read(Path(index))
    if towers.shared or made.fingerprint == UNKNOWN or towers.name == made.encoder:
        return
    passages = DualEncoder.from_tower(towers.passage)
    said = {key: value for key, value in made.settings.items() if key in passages.left_open}
    fingerprint = passages.fingerprint_with(passages.config.model_copy(update=said))
    if fingerprint != made.fingerprint:
        raise QgdrError(
            f"{index}: its passages were encoded by {made.encoder} ({made.fingerprint}), not by the second "
            f"encoder of {towers.name} ({fingerprint}); name what made it, or the encoder of queries alone"
        )


def _differences(made: Maker, encoder: DualEncoder) -> str:
    """Name the settings in which an index differs from an encoder."""
    ours = encoder.config.model_dump()
    return "".join(f", {key} {value!r}" for key, value in made.settings.items() if value != ours[key])
