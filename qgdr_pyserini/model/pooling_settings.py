"""``1_Pooling/config.json``: how an encoder that sentence-transformers saved makes one vector of many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgdr_pyserini.errors import InputError
from qgdr_pyserini.model.encoder_options import POOLINGS
from qgdr_pyserini.model.modules_json import read_object

_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""A key for every kind, as the library wrote them before it wrote ``pooling_mode``."""


def read_pooling(folder: Path) -> str:
    """Read the kind of pooling.

    Parameters
    ----------
    folder
        The module's.

    Raises
    ------
    InputError
        If it is none of `POOLINGS`, or several together, or leaves out the prompt.
    """
    path = folder / "config.json"
    settings = read_object(path)
    kinds = _kinds(settings)
    if len(kinds) != 1 or kinds[0] not in POOLINGS:
        asked, known = " and ".join(map(str, kinds)), ", ".join(POOLINGS)
        raise InputError(f"pooling by {asked} cannot be done here, only by one of {known}", path)
    if not settings.get("include_prompt", True):
        raise InputError("pooling without the prompt (include_prompt: false) cannot be done here", path)
    return str(kinds[0])


def _kinds(settings: dict[str, Any]) -> list[Any]:
    found = settings.get("pooling_mode")
    if found is None:
        return [kind for key, kind in _FLAGS.items() if settings.get(key)] or ["mean"]
    return found if isinstance(found, list) else [found]
