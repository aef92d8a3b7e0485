"""A recipe: every setting that makes an encoder, read from a file and checked."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.model.precision import OnDisk, Precision
from qgdr_pyserini.model.pruning import PruningSettings
from qgdr_pyserini.model.registry import encoder_folders
from qgdr_pyserini.settings import Settings
from qgdr_pyserini.train.combination import LEXICAL, CombinationSettings
from qgdr_pyserini.train.data import DataSettings
from qgdr_pyserini.train.distillation import DistillationSettings, WarmupSettings
from qgdr_pyserini.train.generation import GenerationSettings
from qgdr_pyserini.train.negatives import NegativeSettings
from qgdr_pyserini.train.pairs import ANCHORLESS, PairSettings
from qgdr_pyserini.train.teacher import TeacherRecipe

RECIPE_NAME = "recipe.toml"

_EXTENDS = "extends"


class StudentSettings(Settings):
    """The dual encoder.

    Parameters
    ----------
    checkpoint
        An encoder's name or folder, or any transformer by hub name or folder.
    pooling, normalize, query_prefix, passage_prefix
        See `qgdr_pyserini.model.config.EncoderConfig`; a trained encoder keeps its own.
    query_max_length, passage_max_length
        In subwords.
    dropout
        Of hidden states and attention while it is trained; the checkpoint's own when None.
    prune
        Which subwords are kept of a ``checkpoint``, by how often the training data show them; all when None.
    """

    checkpoint: str = Field(min_length=1)
    pooling: Literal["cls", "mean"] = "mean"
    normalize: bool = True
    query_prefix: str = ""
    passage_prefix: str = ""
    query_max_length: int = Field(default=128, ge=3)
    passage_max_length: int = Field(default=256, ge=3)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    prune: PruningSettings | None = None


class MiningSettings(NegativeSettings):
    """Where hard negatives come from; see `qgdr_pyserini.train.negatives.NegativeSettings`.

    Parameters
    ----------
    first
        For the warm-up and the teacher: ``given`` in the data, ``bm25``, or the ``student``. The
        iterations search with the student of the one before.
    english
        Search with a question's English twin where there is one, as is done in any case for a teacher that
        reads English.
    precision
        Of the student while it searches or is measured; ``bf16`` is mixed precision, ``auto`` that
        where it is faster.
    checked_queries
        Held-out queries that a teacher is checked on, and weights of a combination are fitted to.
    """

    first: Literal["given", "bm25", "student"] = "student"
    english: bool = False
    precision: Precision = "fp32"
    checked_queries: int = Field(default=400, ge=1)


class Recipe(Settings):
    """Every setting that makes an encoder; a group that is left out is a stage that is left out.

    Parameters
    ----------
    name
        The encoder's name; contains ``qgdr`` so that Pyserini finds it.
    description
        One sentence for the model card.
    licence
        Of the encoder, for the model card.
    seed
        Of everything random.
    holdout
        Share of the articles (by title) that is kept from training, to measure on.
    iterations
        How often the student is distilled, with negatives retrieved anew.
    export
        Precision of the weights on disk; see `qgdr_pyserini.model.precision.OnDisk`.
    data, student, pairs, warmup, teacher, negatives, generation, combination, distillation
        Groups of settings.
    """

    name: str = Field(pattern="qgdr")
    description: str
    licence: str = "cc-by-sa-4.0"
    seed: int
    holdout: float = Field(default=0.0, ge=0, lt=1)
    iterations: int = Field(default=1, ge=1)
    export: OnDisk = "fp32"
    data: DataSettings = DataSettings()
    student: StudentSettings
    pairs: PairSettings | None = None
    warmup: WarmupSettings | None = None
    teacher: TeacherRecipe | None = None
    negatives: MiningSettings = MiningSettings()
    generation: GenerationSettings = GenerationSettings()
    combination: CombinationSettings | None = None
    distillation: DistillationSettings | None = None

    @model_validator(mode="after")
    def _groups_fit(self) -> Self:
        for problem, reason in _contradictions(self):
            if problem:
                raise ValueError(reason)
        return self

    @property
    def mines_first(self) -> bool:
        """Whether negatives are mined before the iterations, for the warm-up or the teacher."""
        return self.warmup is not None or (self.teacher is not None and self.teacher.ranking is not None)

    @property
    def needs_negatives_first(self) -> bool:
        """Whether warm-up or teacher learn from negatives; with one candidate a query there are none."""
        ranks = self.teacher is not None and self.teacher.ranking is not None
        return ranks or (self.warmup is not None and self.warmup.candidates > 1)

    @property
    def mines_once(self) -> bool:
        """Whether those negatives are also the first iteration's: its student has mined them."""
        # Questions without a passage are not among those mined first.
        labelled = self.data.labels == 1.0 and not self.data.unlabelled_per_language
        return labelled and self._student_mines_first

    @property
    def encodes_once(self) -> bool:
        """Whether the first negatives are mined with the vectors that the first iteration anchors to."""
        anchored = self.distillation is not None and self.distillation.anchor is not None
        return anchored and self._student_mines_first

    @property
    def _student_mines_first(self) -> bool:
        """Whether the first negatives are mined by the student that the first iteration begins with."""
        return self.mines_first and self.warmup is None and self.negatives.first == "student"

    @property
    def adds_bm25(self) -> bool:
        """Whether dictionary BM25 is among the scores that are added up."""
        return self.combination is not None and LEXICAL in self.combination.scores

    @property
    def aligns(self) -> bool:
        """Whether queries are aligned with generated ones or twins."""
        return self.distillation is not None and self.distillation.alpha > 0


def _replays_passages(recipe: Recipe) -> bool:
    settings, pairs = recipe.distillation, recipe.pairs
    if settings is None or settings.anchor is None or settings.replay is None or pairs is None:
        return False
    sources = (settings.replay.sources or pairs.sources).model_dump()
    return any(sources[name]["weight"] for name in ANCHORLESS)


def _contradictions(recipe: Recipe) -> list[tuple[bool, str]]:
    training_set = recipe.data.format == "training-set"
    distillation, warmup, teacher = recipe.distillation, recipe.warmup, recipe.teacher
    taught = distillation is not None and (distillation.kd > 0 or distillation.alpha > 0)
    writes = recipe.aligns and recipe.generation.writes
    groups = [group for group in (warmup, distillation) if group is not None]
    replayed = any(group.replay is not None for group in groups)
    switched = any(group.code_switched for group in groups)
    return [
        (
            warmup is not None and warmup.anchor is not None,
            "'warmup' has no student before it to be its 'anchor'; take 'anchor' out",
        ),
        (
            _replays_passages(recipe),
            "with 'anchor', a replay is of texts and their English; give 'replay.sources' without "
            "'queries' and 'passages'",
        ),
        (
            replayed and not (recipe.pairs and training_set),
            "'replay' needs 'pairs', and data of format 'training-set'",
        ),
        (
            switched and not (recipe.pairs and training_set),
            "'code_switched' needs 'pairs', and data of format 'training-set'",
        ),
        (
            bool(recipe.data.unlabelled_per_language) and not (taught and training_set),
            "'data.unlabelled_per_language' needs data of format 'training-set', and 'kd' or 'alpha' above 0",
        ),
        (
            taught and teacher is None and recipe.combination is None,
            "distillation with 'kd' or 'alpha' above 0 needs 'teacher' or 'combination'",
        ),
        (
            recipe.adds_bm25 and not training_set,
            "'bm25-lexicon' needs data of format 'training-set', which has a lexicon",
        ),
        (
            recipe.combination is not None and "teacher" in recipe.combination.scores and teacher is None,
            "'combination' needs 'teacher', or 'scores' without it",
        ),
        (
            recipe.combination is not None and not recipe.combination.weights and not recipe.holdout,
            "'combination' needs 'weights', or a 'holdout' above 0 to fit them to",
        ),
        (
            warmup is not None and (warmup.kd > 0 or warmup.alpha > 0),
            "warmup has no teacher yet; set its 'kd' and 'alpha' to 0",
        ),
        (
            writes and (teacher is None or not teacher.writes),
            "'alpha' above 0 needs a teacher of kind 'query-generator', which writes the aligned queries, or "
            "generation.source 'twins'",
        ),
        (
            writes and not recipe.generation.languages,
            "'alpha' above 0 needs 'generation.languages', or generation.source 'twins'",
        ),
        (
            recipe.aligns and recipe.generation.has_twins and not training_set,
            "generation.source 'twins' needs data of format 'training-set'",
        ),
    ]


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply overrides.

    A recipe with ``extends = "NAME"`` has the settings of that one where it does not give its own.

    Parameters
    ----------
    name
        An encoder under ``encoders/``, a folder with a ``recipe.toml``, or a TOML file.
    overrides
        ``key=value`` with dotted keys and TOML values, such as ``distillation.steps=100``.

    Raises
    ------
    QgdrError
        If there is no such recipe, a key or value is wrong, or recipes extend each other in a ring.
    """
    path = find_recipe(name)
    values = _values(path, [])
    for override in overrides:
        _override(values, override)
    return Recipe.checked(values, path)


def find_recipe(name: str) -> Path:
    """Find a recipe's file by encoder name, folder or path."""
    places = [folder / name / RECIPE_NAME for folder in encoder_folders()]
    for path in [*places, Path(name) / RECIPE_NAME, Path(name)]:
        if path.is_file():
            return path
    known = ", ".join(recipe_names()) or "none"
    raise QgdrError(f"no recipe {name!r}; known: {known}; or give a TOML file")


def recipe_names() -> list[str]:
    """List the recipes under ``encoders/``."""
    found = {path.parent.name for folder in encoder_folders() for path in folder.glob(f"*/{RECIPE_NAME}")}
    return sorted(found)


def _values(path: Path, ring: list[Path]) -> dict[str, Any]:
    try:
        own = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not TOML: {error}", path) from None
    base = own.pop(_EXTENDS, None)
    if base is None:
        return own
    if not isinstance(base, str):
        raise InputError(f"'extends' must name one recipe, not {base!r}", path)
    if path in ring:
        raise InputError("extends itself; take the line out in one of the recipes", path)
    return _merged(_values(_base(base, path), [*ring, path]), own)


def _base(name: str, path: Path) -> Path:
    """Find what a recipe extends: beside it, or as any recipe is found."""
    sibling = path.parent.parent / name / RECIPE_NAME
    return sibling if sibling.is_file() else find_recipe(name)


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in own.items():
        before = merged.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            value = _merged(before, value)
        merged[key] = value
    return merged


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    *parents, last = key.strip().split(".")
    if not equals or not last:
        raise QgdrError(f"--set {override!r}: needs key=value, such as distillation.steps=100")
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
