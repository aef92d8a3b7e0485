"""``reproduce.toml``: the commands behind a comparison, the scores that they gave, the runs that are kept."""

from __future__ import annotations

import itertools
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import Field

from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.evaluate.fusion import BY_RANK, BY_SCORE, check_weights
from qgdr_pyserini.evaluate.metrics import check_metrics
from qgdr_pyserini.evaluate.passage_languages import CUT
from qgdr_pyserini.files import atomic_text
from qgdr_pyserini.settings import Settings

FILE = "reproduce.toml"

QRELS = "qrels.txt.gz"

LANGUAGES = "passage-languages.tsv.gz"
"""Language of every passage, by docid."""

MARKER = "# Everything below is written by 'qgdr reproduce --update'."

Scores = dict[str, dict[str, dict[str, float]]]
"""Score by language (and `MEAN`) by metric by system."""

MEAN = "mean"

FAIRNESS = (f"own-language@{CUT}", f"awrf@{CUT}")
"""What is scored beside the metrics where passages are in several languages."""

_NAME = re.compile(r"[\w+-]+")

_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")


class CurveSettings(Settings):
    """A figure with a panel for each group of curves.

    Parameters
    ----------
    metric
        What is drawn; one of the metrics measured.
    over
        The name in ``vary`` along the horizontal axis, whose values are numbers.
    spread
        The name in ``vary`` that is averaged over, such as a seed; None where nothing is.
    axis
        What the horizontal axis says.
    panels
        By title, curves: a system's name, as in the commands, by what the curve is called. A name without
        ``over`` in it is a level line. Differences are those of the first curve from the others.
    """

    metric: str
    over: str
    spread: str | None = None
    axis: str
    panels: dict[str, dict[str, str]] = Field(min_length=1)


class TableSettings(Settings):
    """A table for each metric, whose rows are systems that were made more than once.

    Parameters
    ----------
    spread
        The name in ``vary`` that is averaged over, such as a seed.
    over
        The name in ``vary`` of whose values each has tables of its own, such as how many labels there were;
        None for one table a metric.
    titles
        What stands above them, by value.
    baseline
        The row that the others are tested against.
    rows
        Systems' names, as in the commands, by what the row is called. A name without ``spread`` in it was
        made once; one without ``over`` is in every table.
    """

    spread: str
    over: str | None = None
    titles: dict[str, str] = Field(default_factory=dict)
    baseline: str
    rows: dict[str, str] = Field(min_length=2)


class PassageLanguageSettings(Settings):
    """Passages in several languages: how fair systems are to each, and what they find in each.

    A system in ``runs`` is searched twice: in one pool, and in each language's passages alone. The latter
    runs are scored on the judgements of their passages, and kept as far as the last relevant one: what
    stands behind it changes no recall.

    Parameters
    ----------
    over
        The name in ``vary`` whose values are the passages' languages.
    runs
        Names of the runs of one language, as in the commands, by the system they belong to.
    metrics
        What these are measured by.
    """

    over: str
    runs: dict[str, str] = Field(min_length=1)
    metrics: list[str] = Field(min_length=1)


class FuseSettings(Settings):
    """A system that is fused from others.

    Parameters
    ----------
    method
        One of ``qgdr compare --fuse``.
    systems
        Names of two or more.
    weights
        Of method ``sum``, one for each system; all weigh alike where there are none.
    """

    method: str
    systems: list[str] = Field(min_length=2)
    weights: list[float] = Field(default_factory=list)

    @property
    def option(self) -> str:
        """What follows the name in ``--fuse``."""
        weights = [f"*{weight!r}" for weight in self.weights] or [""] * len(self.systems)
        return f"{self.method}:{','.join(map(''.join, zip(self.systems, weights, strict=True)))}"


class Reproduction(Settings):
    """What ``reproduce.toml`` says.

    Commands are ``qgdr …`` or ``python -m …``, without a shell. In them stand ``{data}`` for the folder given
    by ``--data``, ``{work}`` for a scratch folder, ``{collection}`` for the collection's, ``{questions}`` for
    one file with the questions of all languages, and ``{runs}`` for the folder where a system called NAME
    leaves ``run.NAME.txt`` or ``run.NAME.LANG.txt``.

    Parameters
    ----------
    about
        What is compared, in a line.
    collection
        Command that builds the collection.
    shared
        Commands that come before those of any system: what several of them build on. A name of ``vary``
        stands for each of its values here, too.
    commands
        Commands that make each system's runs, by system; the first system is the baseline.
    metrics
        What is measured, as ``qgdr compare --metric`` takes it, except metrics that look for answers.
    hits
        Passages kept of each query's; scores are those of these.
    tolerance
        How far a score may be off: other processors round otherwise.
    data
        What ``--data`` has to hold; None where nothing is needed.
    mean_of
        Languages in the mean; all when empty.
    by_language
        Whether there is a score for each language, and their mean; otherwise one over all queries.
    found_only
        Score a system on those queries alone that it has a relevant passage for among its hits: what was
        not retrieved, no re-ranking puts first.
    vary
        Values by a name that may stand, in braces, in the names and commands of systems: each value (each
        combination) makes a system.
    options
        By a name of ``vary``, what ``{NAME.options}`` in a command stands for at each of its values.
    curves
        A figure of a score as one of these values changes, in place of the usual report.
    table
        A table of systems that were made once for each of these values, in place of the usual report.
    fuse
        Systems fused from others, by name.
    passage_languages
        What is told of the languages of passages, where there are several.
    expected
        Scores, to four decimals.
    checksums
        Of the kept files, by name.
    """

    about: str
    collection: str
    shared: list[str] = Field(default_factory=list)
    commands: dict[str, list[str]] = Field(min_length=1)
    metrics: list[str] = Field(min_length=1)
    hits: int = Field(ge=1)
    tolerance: float = Field(ge=1e-4, lt=0.1)
    data: str | None = None
    mean_of: list[str] = Field(default_factory=list)
    by_language: bool = True
    found_only: bool = False
    vary: dict[str, list[str]] = Field(default_factory=dict)
    options: dict[str, dict[str, str]] = Field(default_factory=dict)
    curves: CurveSettings | None = None
    table: TableSettings | None = None
    fuse: dict[str, FuseSettings] = Field(default_factory=dict)
    passage_languages: PassageLanguageSettings | None = None
    expected: Scores = Field(default_factory=dict)
    checksums: dict[str, str] = Field(default_factory=dict)

    @property
    def systems(self) -> list[str]:
        """Names of all systems, the fused ones last."""
        return [*self.commands, *self.fuse]

    def members(self, system: str) -> list[str]:
        """Name the systems whose runs a system consists of: itself, or those that it is fused from."""
        return self.fuse[system].systems if system in self.fuse else [system]

    @property
    def kept_files(self) -> list[str]:
        """Names of the files beside ``reproduce.toml`` that scores are computed from."""
        return [*self.judging_files, *map(run_name, self.commands)]

    @property
    def judging_files(self) -> list[str]:
        """Names of those that all scores depend on."""
        return [QRELS, LANGUAGES] if self.passage_languages else [QRELS]

    @property
    def alone(self) -> dict[str, str]:
        """Language of the passages that a run of one language alone was made over, by the run's name."""
        settings = self.passage_languages
        if settings is None:
            return {}
        languages = self.vary[settings.over]
        return {
            fill(template, {settings.over: language}): language
            for template in settings.runs.values()
            for language in languages
        }

    @property
    def whole(self) -> list[str]:
        """Names of the systems with commands that search all passages."""
        return [system for system in self.commands if system not in self.alone]

    def measured(self, system: str) -> list[str]:
        """Name what a system is measured by."""
        if system in self.alone and self.passage_languages is not None:
            return self.passage_languages.metrics
        return [*self.metrics, *(FAIRNESS if self.passage_languages else ())]


def run_name(system: str) -> str:
    """Name the kept run of a system."""
    return f"run.{system}.txt.gz"


def read_reproduction(folder: str | os.PathLike[str]) -> Reproduction:
    """Read a folder's ``reproduce.toml``.

    Raises
    ------
    InputError
        If it is missing, is not TOML, or a setting is unknown, missing or wrong.
    """
    path = Path(folder) / FILE
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except FileNotFoundError:
        raise InputError("no such file; name a folder under runs/ that has one", path) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not TOML ({error})", path) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", path) from None
    found = Reproduction.checked(values, path)
    _check_options(found, path)
    _check_curves(found, path)
    _check_table(found, path)
    _check_passage_languages(found, path)
    commands = expand(found.commands, found.vary, found.options)
    shared = [fill(one, values) for one in found.shared for values in choices(one, found.vary)]
    found = found.model_copy(update={"commands": commands, "shared": shared})
    _check_names(found, path)
    return found


def write_results(
    folder: str | os.PathLike[str], scores: Mapping[str, Any], checksums: Mapping[str, str]
) -> None:
    """Replace the scores and checksums in a folder's ``reproduce.toml``; what stands above stays as it is."""
    path = Path(folder) / FILE
    head = path.read_text(encoding="utf-8").split(MARKER)[0].rstrip()
    with atomic_text(path) as file:
        file.write(f"{head}\n\n{MARKER}\n")
        for system, metrics in scores.items():
            for metric, languages in metrics.items():
                file.write(f"\n[expected.{json.dumps(system)}.{json.dumps(metric)}]\n")
                file.writelines(f"{language} = {score:.4f}\n" for language, score in languages.items())
        file.write("\n[checksums]\n")
        file.writelines(f"{json.dumps(name)} = {json.dumps(value)}\n" for name, value in checksums.items())


def _check_names(found: Reproduction, path: Path) -> None:
    for name in found.systems:
        if not _NAME.fullmatch(name):
            raise InputError(f"system {name!r}: letters, digits and - + _ only", path)
    for name, settings in found.fuse.items():
        if name in found.commands:
            raise InputError(f"fuse.{name}: there are commands for a system of that name", path)
        if settings.method not in (*BY_RANK, *BY_SCORE):
            raise InputError(f"fuse.{name}: unknown method {settings.method!r}", path)
        try:
            check_weights(settings.method, settings.weights, len(settings.systems))
        except QgdrError as error:
            raise InputError(f"fuse.{name}: {error}", path) from None
        if unknown := [member for member in settings.systems if member not in found.commands]:
            raise InputError(f"fuse.{name}: there are no commands for system {unknown[0]!r}", path)
    check_metrics(found.metrics)


def _check_options(found: Reproduction, path: Path) -> None:
    for name, texts in found.options.items():
        if name not in found.vary:
            raise InputError(f"options: {name!r} is not a name in 'vary'", path)
        if missing := [value for value in found.vary[name] if value not in texts]:
            raise InputError(f'options.{name}: has none for {missing[0]!r}; give "" for none', path)


def _check_curves(found: Reproduction, path: Path) -> None:
    curves = found.curves
    if curves is None:
        return
    for name in filter(None, (curves.over, curves.spread)):
        if name not in found.vary:
            raise InputError(f"curves: {name!r} is not a name in 'vary'", path)
    if curves.metric not in found.metrics:
        raise InputError(f"curves: {curves.metric!r} is not among 'metrics'", path)
    if bad := [value for value in found.vary[curves.over] if not _NUMBER.fullmatch(value)]:
        raise InputError(
            f"curves: {bad[0]!r} in vary.{curves.over} is not a number, so the axis has no place for it", path
        )
    for system in (system for panel in curves.panels.values() for system in panel.values()):
        if system not in found.commands:
            raise InputError(f"curves: there are no commands for {system!r}", path)


def _check_table(found: Reproduction, path: Path) -> None:
    table = found.table
    if table is None:
        return
    if found.curves is not None:
        raise InputError("'table' and 'curves' are two reports; give one", path)
    for name in filter(None, (table.spread, table.over)):
        if name not in found.vary:
            raise InputError(f"table: {name!r} is not a name in 'vary'", path)
    if unknown := [value for value in table.titles if value not in found.vary.get(table.over or "", ())]:
        raise InputError(f"table: title for {unknown[0]!r}, which is not a value of `over`", path)
    if table.baseline not in table.rows:
        raise InputError(f"table: baseline {table.baseline!r} is none of its rows", path)
    for system in table.rows.values():
        if system not in found.commands:
            raise InputError(f"table: there are no commands for {system!r}", path)
    if not found.by_language or found.found_only:
        raise InputError("table: its columns are languages; take out 'by_language' and 'found_only'", path)


def _check_passage_languages(found: Reproduction, path: Path) -> None:
    settings = found.passage_languages
    if settings is None:
        return
    if found.curves or found.table or found.found_only or not found.by_language:
        raise InputError("passage_languages: does not go with curves, table, found_only or by_language", path)
    if settings.over not in found.vary:
        raise InputError(f"passage_languages: {settings.over!r} is not a name in 'vary'", path)
    for system, template in settings.runs.items():
        if system not in found.commands or system == template:
            raise InputError(f"passage_languages: there are no commands for {system!r}", path)
        if template not in found.commands or names_in(template, found.vary) != [settings.over]:
            raise InputError(
                f"passage_languages: there are no commands for {template!r}, or it is not one for each"
                f" {{{settings.over}}}",
                path,
            )
    check_metrics(settings.metrics)


def names_in(template: str, vary: Mapping[str, Sequence[str]]) -> list[str]:
    """List the names of ``vary`` that stand in a template, in braces."""
    return [name for name in vary if f"{{{name}}}" in template]


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values where their names stand; other names in braces stay.

    Examples
    --------
    >>> fill("{work}/teacher-{share}", {"share": "25"})
    '{work}/teacher-25'
    """
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", value)
    return template


def choices(template: str, vary: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    """Go through all values of the names that stand in a template; once, with none, where none does."""
    names = names_in(template, vary)
    for chosen in itertools.product(*(vary[name] for name in names)):
        yield dict(zip(names, chosen, strict=True))


def expand(
    commands: Mapping[str, Sequence[str]],
    vary: Mapping[str, Sequence[str]],
    options: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> dict[str, list[str]]:
    """Write out the commands of every system.

    Parameters
    ----------
    commands
        By system, whose name may hold names of ``vary``; what these stand for goes into its commands too.
    vary
        Values by name.
    options
        By a name of ``vary``, what ``{NAME.options}`` in a command stands for at each of its values.

    Examples
    --------
    >>> expand({"bm25": ["a"], "bm25-{k}": ["b {k} {data}"]}, {"k": ["1", "2"]})
    {'bm25': ['a'], 'bm25-1': ['b 1 {data}'], 'bm25-2': ['b 2 {data}']}
    >>> expand({"bm25-{k}": ["b {k.options}"]}, {"k": ["few", "all"]}, {"k": {"few": "-n 9", "all": ""}})
    {'bm25-few': ['b -n 9'], 'bm25-all': ['b ']}
    """

    def text(command: str, values: Mapping[str, str]) -> str:
        given = {f"{name}.options": options[name][value] for name, value in values.items() if name in options}
        return fill(command, {**values, **given})

    return {
        fill(system, values): [text(command, values) for command in own]
        for system, own in commands.items()
        for values in choices(system, vary)
    }
