"""Training from a notebook or a script."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.api.frames import AnyPath
from qgdr_pyserini.api.telling import tell


def train_encoder(
    recipe: AnyPath,
    data: AnyPath,
    output: AnyPath,
    *,
    settings: Mapping[str, Any] | None = None,
    resume: bool = False,
    reuse: Sequence[AnyPath] = (),
) -> Path:
    """Train an encoder by a recipe, as ``qgdr train`` does.

    Parameters
    ----------
    recipe
        A name under ``encoders/``, a folder, or a TOML file.
    data
        Folder of the training data.
    output
        A folder of its own for this run.
    settings
        Overrides by dotted key, such as ``{"distillation.steps": 50}``.
    resume
        Go on with the run in ``output`` that stopped.
    reuse
        Folders of other runs, whose stages are taken where they would come out the same.

    Returns
    -------
    Path
        The encoder's folder, which `load_encoder` and all that takes an encoder's name take.

    Raises
    ------
    QgdrError
        If recipe, settings or data cannot be used, or ``output`` holds another run.

    Examples
    --------
    >>> folder = train_encoder(
    ...     "qgdr", "data/train", "work/try", settings={"distillation.steps": 50}
    ... )  # doctest: +SKIP
    """
    from qgdr_pyserini.pyserini_plugin.bm25_training import bm25_scorer_for, rank_with_bm25
    from qgdr_pyserini.train.pipeline import RunOptions, train_encoder
    from qgdr_pyserini.train.recipe import load_recipe

    # A TOML value is what JSON makes of it: text, numbers, lists.
    overrides = [
        f"{key}={json.dumps(value, ensure_ascii=False, default=os.fspath)}"
        for key, value in (settings or {}).items()
    ]
    options = RunOptions(
        resume=resume,
        reuse=[Path(folder) for folder in reuse],
        bm25=rank_with_bm25,
        bm25_scorer=bm25_scorer_for(Path(data)),
        say=tell,
    )
    return train_encoder(load_recipe(os.fspath(recipe), overrides), Path(data), Path(output), options)
