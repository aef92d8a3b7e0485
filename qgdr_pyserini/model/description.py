"""What a folder that is none of ours says of its encoder, and what has to be guessed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.config import EncoderConfig
from qgdr_pyserini.model.encoder_options import EncoderOptions, option_for
from qgdr_pyserini.model.encoder_prompts import EncoderPrompts, read_prompts
from qgdr_pyserini.model.head import refuse_token_layer
from qgdr_pyserini.model.modules_json import MODULES, Module, read_modules
from qgdr_pyserini.model.pooling_settings import read_pooling
from qgdr_pyserini.model.transformer_settings import (
    TransformerSettings,
    is_decoder,
    read_transformer_settings,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Description:
    """An encoder as its folder has it, less the weights.

    Parameters
    ----------
    folder
        The encoder's.
    transformer
        That of its transformer.
    config
        How vectors are made.
    left_open
        Settings of ``config`` that neither the folder nor the user says anything about.
    prompts
        What stands beside the modules.
    layers
        What follows pooling, less a normalisation at the end.
    lower_case
        Whether texts are put in lower case first.
    """

    folder: Path
    transformer: Path
    config: EncoderConfig
    left_open: frozenset[str]
    prompts: EncoderPrompts
    layers: tuple[Module, ...] = ()
    lower_case: bool = False

    def guesses(self) -> Iterator[str]:
        """Yield a sentence for everything that is decided on the user's behalf."""
        guessed = {
            "pooling": f"pooling {self.config.pooling} (--pooling)",
            "normalize": "vectors as they are (--normalize)",
        }
        if "pooling" in self.left_open:
            taken = ", ".join(text for name, text in guessed.items() if name in self.left_open)
            yield f"{self.folder}: says nothing of how it makes one vector of a text; guessed: {taken}"
        elif "normalize" in self.left_open and self.prompts.cosine:
            yield (
                f"{self.folder}: made for cosines, but its vectors are not of length 1, and an index "
                "compares by inner product; --normalize makes both the same"
            )
        if self.prompts.others and {"query_prefix", "passage_prefix"} & self.left_open:
            names = ", ".join(self.prompts.others)
            yield f"{self.folder}: has prompts for other tasks ({names}); --query-prefix takes one's text"


def describe(folder: Path, options: EncoderOptions, role: str | None = None) -> Description:
    """Read a folder that sentence-transformers saved, or that holds a bare transformer.

    Parameters
    ----------
    folder
        With ``modules.json``, or with ``config.json`` alone.
    options
        What the user says of it.
    role
        ``query`` or ``passage``: which of two towers in the folder.

    Raises
    ------
    QgdrError
        If the folder cannot be used, or says otherwise than the user.
    """
    found = _from_modules(folder, role) if (folder / MODULES).is_file() else _bare(folder)
    refuse_contradiction(folder, found.config, found.left_open, options)
    return dataclasses.replace(
        found,
        config=found.config.model_copy(update=options.given),
        left_open=found.left_open - options.given.keys(),
    )


def refuse_contradiction(
    folder: Path, config: EncoderConfig, left_open: frozenset[str], options: EncoderOptions
) -> None:
    """Raise `QgdrError` if an option says otherwise than an encoder's folder."""
    for name, value in options.given.items():
        said = getattr(config, name)
        if name not in left_open and value != said:
            raise QgdrError(
                f"{folder}: its own files say {name.replace('_', ' ')} {said!r}; leave out "
                f"{option_for(name, value)}, which is for encoders whose files say nothing"
            )


def _bare(folder: Path) -> Description:
    # As sentence-transformers takes it.
    pooling = "lasttoken" if is_decoder(folder) else "mean"
    texts = read_transformer_settings(folder)
    return Description(
        folder=folder,
        transformer=folder,
        config=_config(folder, texts, EncoderPrompts(), pooling, normalize=False),
        left_open=frozenset({"pooling", "normalize", "query_prefix", "passage_prefix"}),
        prompts=EncoderPrompts(),
        lower_case=texts.lower_case,
    )


def _from_modules(folder: Path, role: str | None) -> Description:
    transformer, pooling, *layers = read_modules(folder, role)
    for layer in layers:
        refuse_token_layer(layer)
    prompts = read_prompts(folder)
    texts = read_transformer_settings(transformer.folder)
    kept = tuple(layer for layer in layers if layer.kind != "Dropout")
    normalize = bool(kept) and kept[-1].kind == "Normalize" and prompts.truncate is None
    config = _config(folder, texts, prompts, read_pooling(pooling.folder), normalize=normalize)
    silent = ("normalize", "query_prefix", "passage_prefix")
    return Description(
        folder=folder,
        transformer=transformer.folder,
        config=config,
        left_open=frozenset(name for name in silent if not getattr(config, name)),
        prompts=prompts,
        layers=kept[:-1] if normalize else kept,
        lower_case=texts.lower_case,
    )


def _config(
    folder: Path, texts: TransformerSettings, prompts: EncoderPrompts, pooling: str, *, normalize: bool
) -> EncoderConfig:
    values = {
        "pooling": pooling,
        "normalize": normalize,
        "query_prefix": prompts.query_prefix,
        "passage_prefix": prompts.passage_prefix,
        "query_max_length": texts.query_length,
        "passage_max_length": texts.passage_length,
    }
    return EncoderConfig.checked(values, folder)
