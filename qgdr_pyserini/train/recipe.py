"""A recipe: every setting that makes an encoder."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.model.registry import encoder_folders
from qgdr_pyserini.settings import Settings

RECIPE_NAME = "recipe.toml"


class VocabularySettings(Settings):
    """How the subword vocabulary is learned.

    Parameters
    ----------
    size
        Number of subwords.
    lines_per_language
        Lines looked at, for each kind of text and each language.
    """

    size: int = Field(ge=300)
    lines_per_language: int = Field(ge=1)


class StudentSettings(Settings):
    """The dual encoder.

    Parameters
    ----------
    dimension
        Components of a vector.
    query_max_length, passage_max_length
        In subwords.
    """

    dimension: int = Field(ge=8)
    query_max_length: int = Field(ge=3)
    passage_max_length: int = Field(ge=3)


class SourceSettings(Settings):
    """One source of positive pairs.

    Parameters
    ----------
    weight
        How often a batch comes from it, relative to the other sources; 0 leaves it out.
    batch_size
        Pairs in a batch, all negatives of each other.
    """

    weight: float = Field(ge=0)
    batch_size: int = Field(ge=2)


class SourcesSettings(Settings):
    """All sources of positive pairs; see `qgdr_pyserini.train.pairs`.

    Parameters
    ----------
    queries
        Queries with their passages.
    code_switched_queries
        The English ones among them, put into other languages through lexicon and names.
    questions, sentences, lexicon, names
        Texts with their translations.
    crops, code_switched_crops
        Spans of passages with the passages, in English and code-switched.
    """

    queries: SourceSettings
    code_switched_queries: SourceSettings
    questions: SourceSettings
    sentences: SourceSettings
    lexicon: SourceSettings
    names: SourceSettings
    crops: SourceSettings
    code_switched_crops: SourceSettings


class ContrastiveSettings(Settings):
    """Contrastive training.

    Parameters
    ----------
    steps
        Number of updates; each is one batch of one source.
    learning_rate
        Its peak, after the warm-up; falls to zero linearly.
    warmup_ratio
        Share of the steps that the learning rate rises over.
    temperature
        Of the contrastive loss.
    language_exponent
        See `qgdr_pyserini.train.pairs.ByLanguage`.
    lowest_switch_rate
        Least share of words that code-switching translates.
    save_steps
        Steps between checkpoints.
    sources
        Where batches come from.
    """

    steps: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    warmup_ratio: float = Field(ge=0, lt=1)
    temperature: float = Field(gt=0)
    language_exponent: float = Field(ge=0, le=1)
    lowest_switch_rate: float = Field(ge=0, le=1)
    save_steps: int = Field(ge=1)
    sources: SourcesSettings


class Recipe(Settings):
    """Every setting that makes an encoder.

    Parameters
    ----------
    name
        The encoder's name; contains ``qgdr`` so that Pyserini finds it.
    description
        One sentence for the model card.
    seed
        Of everything random.
    holdout
        Share of the articles (by title) that is kept from training, to measure on.
    vocabulary, student, contrastive
        The stages' settings.
    """

    name: str = Field(pattern="qgdr")
    description: str
    seed: int
    holdout: float = Field(ge=0, lt=1)
    vocabulary: VocabularySettings
    student: StudentSettings
    contrastive: ContrastiveSettings


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply overrides.

    Parameters
    ----------
    name
        An encoder under ``encoders/``, a folder with a ``recipe.toml``, or a TOML file.
    overrides
        ``key=value`` with dotted keys and TOML values, such as ``contrastive.steps=100``.

    Raises
    ------
    QgdrError
        If there is no such recipe, or a key or value is wrong.
    """
    path = find_recipe(name)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not TOML: {error}", path) from None
    for override in overrides:
        _override(values, override)
    return Recipe.checked(values, path)


def find_recipe(name: str) -> Path:
    """Find a recipe's file by encoder name, folder or path."""
    places = [folder / name / RECIPE_NAME for folder in encoder_folders()]
    for path in [*places, Path(name) / RECIPE_NAME, Path(name)]:
        if path.is_file():
            return path
    known = {path.parent.name for folder in encoder_folders() for path in folder.glob(f"*/{RECIPE_NAME}")}
    raise QgdrError(f"no recipe {name!r}; known: {', '.join(sorted(known)) or 'none'}; or give a TOML file")


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    *parents, last = key.strip().split(".")
    if not equals or not last:
        raise QgdrError(f"--set {override!r}: needs key=value, such as contrastive.steps=100")
    group = values
    for parent in parents:
        group = group.setdefault(parent, {})
        if not isinstance(group, dict):
            raise QgdrError(f"--set {override!r}: {parent!r} is a value, not a group of settings")
    group[last] = _toml_value(text.strip())


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a bare word is a string, as a shell user expects
