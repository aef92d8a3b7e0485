"""What a user may say of an encoder whose folder leaves it open."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, get_args

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
