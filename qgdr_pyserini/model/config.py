"""What turns a transformer's token vectors into a query or passage vector, and what a user may say of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field

from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import atomic_text, read_json
from qgdr_pyserini.settings import Settings

Pooling = Literal["cls", "mean", "max", "weightedmean", "lasttoken"]
"""How token vectors become one; the names are sentence-transformers'."""

POOLINGS: tuple[str, ...] = get_args(Pooling)


@dataclasses.dataclass(frozen=True, slots=True)
class EncoderOptions:
    """Settings for an encoder; None leaves one to the encoder's folder.

    Parameters
    ----------
    pooling, normalize, query_prefix, passage_prefix
        As in `EncoderConfig`.
    """

    pooling: Pooling | None = None
    normalize: bool | None = None
    query_prefix: str | None = None
    passage_prefix: str | None = None

    @property
    def given(self) -> dict[str, Any]:
        """Those that are not None.

        Examples
        --------
        >>> EncoderOptions(pooling="cls").given
        {'pooling': 'cls'}
        """
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


NOTHING = EncoderOptions()
"""No settings: what the encoder's folder says."""


def option_for(setting: str, value: object) -> str:
    """Name the option of the command line by which a setting gets a value.

    Examples
    --------
    >>> option_for("query_prefix", "query: "), option_for("normalize", False)
    ('--query-prefix', '--no-normalize')
    """
    name = setting.replace("_", "-")
    return f"--no-{name}" if value is False else f"--{name}"


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
