"""Whether queries and passages were encoded by the same encoder."""

from __future__ import annotations

import os
from pathlib import Path

from qgdr_pyserini.encode.manifest import MANIFEST, IndexManifest
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.registry import encoder_name, find_encoder, named_encoders

UNKNOWN = "unknown"
"""What an index's manifest says of an encoder that is none of ours."""


def refuse_other_encoder(index: str | os.PathLike[str], encoder: str) -> None:
    """Raise `QgdrError` if an index was made by another encoder than the one named.

    An index without a manifest, not made by this package, is let pass.
    """
    if (Path(index) / MANIFEST).is_file():
        folder = find_encoder(encoder)
        agree_with_index(index, encoder_name(folder), DualEncoder.from_pretrained(folder))


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
    made = IndexManifest.read(Path(index))
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
    raise QgdrError(
        f"{index}: encoded by {made.encoder} ({made.fingerprint}{_differences(made, encoder)}), "
        f"the queries by {name} ({encoder.fingerprint}): scores would mean nothing; use one encoder for both"
    )


def encoder_of_index(
    index: str | os.PathLike[str], encoder: str | None = None, device: str = "cpu"
) -> DualEncoder:
    """Load the encoder for the questions that are put to an index.

    Parameters
    ----------
    index
        The index's folder. One without a manifest, not made by this package, takes any encoder of its
        dimension.
    encoder
        Name or path, as `find_encoder` takes it; the one that the index names if None.
    device
        ``cpu``, ``cuda``, …

    Raises
    ------
    QgdrError
        If the index names none, the encoder is not to be found, or another than the one that made the index.
    """
    place = Path(index)
    if encoder is not None and not (place / MANIFEST).is_file():
        return DualEncoder.from_pretrained(find_encoder(encoder), device)
    manifest = IndexManifest.read(place)
    if encoder is None and manifest.encoder == UNKNOWN:
        raise QgdrError(f"{place}: does not say which encoder made it; name it with --encoder")
    folder = find_encoder(encoder) if encoder else _maker(place, manifest.encoder)
    model = DualEncoder.from_pretrained(folder, device)
    agree_with_index(place, encoder_name(folder), model)
    if model.dimension != manifest.dimension:
        raise QgdrError(f"{place}: dimension {manifest.dimension}, but {folder.name} has {model.dimension}")
    return model


def _maker(place: Path, name: str) -> Path:
    """Find the encoder that an index names; what was a folder's name there is no name on the hub."""
    if "/" not in name and not Path(name).is_dir() and name not in named_encoders():
        raise QgdrError(f"{place}: made by {name!r}, not to be found by this name; name it with --encoder")
    return find_encoder(name)


def _differences(made: IndexManifest, encoder: DualEncoder) -> str:
    """Name the settings in which an index differs from an encoder."""
    ours = encoder.config.model_dump()
    return "".join(f", {key} {value!r}" for key, value in made.settings.items() if value != ours[key])
