"""What turns a transformer's token vectors into a query or passage vector."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import atomic_text, read_json
from qgdr_pyserini.model.encoder_options import Pooling
from qgdr_pyserini.settings import Settings

CONFIG_NAME = "qgdr_config.json"


class EncoderConfig(Settings):
    """Settings saved beside an encoder's weights.

    Parameters
    ----------
    pooling
        ``cls``: the first token's vector; ``lasttoken``: the last one's; ``mean``: the average over all real
        tokens; ``weightedmean``: with their places, from 1 on, as weights; ``max``: the largest of every
        component.
    normalize
        Scale every vector to length 1, so that the inner product is the cosine.
    query_prefix, passage_prefix
        Text put before every query or passage.
    query_max_length, passage_max_length
        Lengths in tokens, special tokens included, beyond which text is cut off.
    """

    pooling: Pooling = "mean"
    normalize: bool = True
    query_prefix: str = ""
    passage_prefix: str = ""
    query_max_length: int = Field(default=128, ge=3)
    passage_max_length: int = Field(default=256, ge=3)

    def save(self, folder: Path) -> None:
        """Write the settings to ``folder/qgdr_config.json``."""
        with atomic_text(folder / CONFIG_NAME) as file:
            file.write(self.model_dump_json(indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> EncoderConfig:
        """Read ``folder/qgdr_config.json``.

        Raises
        ------
        InputError
            If it is missing, is not UTF-8 or JSON, or holds a key or value that is not a setting.
        """
        path = folder / CONFIG_NAME
        if not path.exists():
            raise InputError(f"no {CONFIG_NAME}; save the encoder with DualEncoder.save_pretrained", folder)
        return cls.checked(read_json(path), path)
