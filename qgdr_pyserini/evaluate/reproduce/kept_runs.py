"""The runs kept beside ``reproduce.toml``: small files with short scores, their checksums and scores."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from qgdr_pyserini.collection.trec import Qrels, Run, rank_hits, read_qrels, write_run
from qgdr_pyserini.dictionary.passage_languages import read_passage_languages
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.fusion import fuse
from qgdr_pyserini.evaluate.languages import EVERYTHING, group_queries
from qgdr_pyserini.evaluate.metrics import score_queries
from qgdr_pyserini.evaluate.passage_languages import judged_within, score_fairness
from qgdr_pyserini.evaluate.reproduce.reproduction import (
    FAIRNESS,
    LANGUAGES,
    MEAN,
    QRELS,
    Reproduction,
    Scores,
    run_name,
)
from qgdr_pyserini.evaluate.systems import System, read_system
from qgdr_pyserini.files import atomic_text, checksum

_DECIMALS = (1, 2, 3, 4, 6)

_ROUNDING = 1e-9

T = TypeVar("T")


def write_kept_run(path: str | os.PathLike[str], run: Run, hits: int, tag: str) -> None:
    """Write the first hits of every query; equal runs give equal bytes.

    Parameters
    ----------
    path
        Where to.
    run
        Hits in rank order.
    hits
        How many of each query to keep.
    tag
        The system's name.
    """
    kept = ((qid, _shortened(dict(islice(run[qid].items(), hits))).items()) for qid in sorted(run))
    write_run(path, kept, tag, decimals=None)


def write_kept_qrels(path: Path, qrels: str | os.PathLike[str]) -> None:
    """Write a gzipped copy of judgements."""
    with atomic_text(path) as file, Path(qrels).open(encoding="utf-8") as source:
        shutil.copyfileobj(source, file)


def until_last_relevant(run: Run, qrels: Qrels) -> Run:
    """Leave out the hits behind a query's last relevant one; a query without any keeps all.

    Examples
    --------
    >>> until_last_relevant({"q": {"a": 3.0, "b": 2.0, "c": 1.0}, "r": {"d": 1.0}}, {"q": {"b": 1}})
    {'q': {'a': 3.0, 'b': 2.0}, 'r': {'d': 1.0}}
    """
    short: Run = {}
    for qid, hits in run.items():
        judged = qrels.get(qid, {})
        last = max(
            (rank for rank, docid in enumerate(hits, 1) if judged.get(docid, 0) > 0), default=len(hits)
        )
        short[qid] = dict(islice(hits.items(), last))
    return short


def write_kept_languages(path: Path, corpus: str | os.PathLike[str]) -> None:
    """Write the language of every passage, a line ``docid<TAB>language`` each."""
    languages = read_passage_languages(corpus)
    with atomic_text(path) as file:
        file.writelines(f"{docid}\t{language}\n" for docid, language in languages.items())


def _shortened(hits: dict[str, float]) -> dict[str, float]:
    """Round scores as far as the order of the hits stays what it is."""
    for decimals in _DECIMALS:
        short = {docid: round(score, decimals) for docid, score in hits.items()}
        if list(rank_hits(short)) == list(hits):
            return short
    return hits


@dataclass(frozen=True)
class Row:
    """A score, and what was expected.

    Parameters
    ----------
    system, metric, language
        What it is the score of.
    expected
        The score in ``reproduce.toml``; None if there is none.
    found
        The score now; None if it could not be computed.
    problem
        What is wrong; empty if all is well.
    """

    system: str
    metric: str
    language: str
    expected: float | None
    found: float | None
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether the score came out again."""
        return not self.problem


def find_faults(reproduction: Reproduction, folder: Path) -> dict[str, str]:
    """Tell which kept files are missing, or not those that ``reproduce.toml`` lists."""
    faults = {}
    for name in reproduction.kept_files:
        if not (folder / name).is_file():
            faults[name] = f"{name} is missing"
        elif checksum(folder / name) != reproduction.checksums.get(name):
            faults[name] = f"{name} is not the file that was kept (its checksum differs)"
    return faults


def score_folder(reproduction: Reproduction, folder: Path, faults: dict[str, str]) -> Scores:
    """Score the kept runs in a folder.

    Parameters
    ----------
    reproduction
        Which systems and metrics.
    folder
        Where the runs and judgements lie.
    faults
        What is wrong with a file, by name: those that cannot be read are added, and what depends on one
        is left out.
    """
    qrels = _try(lambda: read_qrels(folder / QRELS), QRELS, faults)
    languages = _read_languages(reproduction, folder, faults)
    systems = {name: _read_kept(folder, name, faults) for name in reproduction.commands}
    if qrels is None or languages is None:
        return {}
    for name, settings in reproduction.fuse.items():
        members = [systems[member] for member in settings.systems]
        present = [member for member in members if member is not None]
        whole = len(present) == len(members)
        systems[name] = fuse(name, settings.method, present, settings.weights) if whole else None
    return {
        name: _system_scores(reproduction, qrels, languages, found)
        for name, found in systems.items()
        if found is not None
    }


def _read_languages(
    reproduction: Reproduction, folder: Path, faults: dict[str, str]
) -> dict[str, str] | None:
    if reproduction.passage_languages is None:
        return {}
    return _try(lambda: read_passage_languages(folder / LANGUAGES), LANGUAGES, faults)


def _system_scores(
    reproduction: Reproduction, qrels: Qrels, languages: Mapping[str, str], system: System
) -> dict[str, dict[str, float]]:
    """Score a system; a run of one language's passages alone on the judgements of these."""
    if system.name in reproduction.alone:
        qrels = judged_within(qrels, languages, reproduction.alone[system.name])
    scores = _scores(reproduction, qrels, system)
    if languages and system.name not in reproduction.alone:
        fairness = score_fairness(system.run, qrels, group_queries(sorted(qrels), {}), languages)
        for metric, name in zip(FAIRNESS, ("own", "awrf"), strict=True):
            scores[metric] = {language: getattr(one, name) for language, one in fairness.items()}
    return scores


def compare_scores(reproduction: Reproduction, scores: Scores, faults: Mapping[str, str]) -> list[Row]:
    """Compare scores with those expected, one row each; a faulty file fails every score from it."""
    rows = []
    for system in reproduction.systems:
        files = [*reproduction.judging_files, *map(run_name, reproduction.members(system))]
        fault = next((faults[name] for name in files if name in faults), "")
        for metric in reproduction.measured(system):
            expected = reproduction.expected.get(system, {}).get(metric, {})
            found = scores.get(system, {}).get(metric, {})
            for language in dict.fromkeys((*expected, *found)) or [MEAN]:
                was, now = expected.get(language), found.get(language)
                problem = fault or _difference(was, now, reproduction.tolerance)
                rows.append(Row(system, metric, language, was, now, problem))
    return rows


def _difference(expected: float | None, found: float | None, tolerance: float) -> str:
    if expected is None:
        return "no score is expected; 'qgdr reproduce --extend' writes it"
    if found is None:
        return "no query of this language was scored"
    if abs(expected - found) > tolerance + _ROUNDING:
        return f"off by {found - expected:+.4f}, more than {tolerance:g}"
    return ""


def _scores(reproduction: Reproduction, qrels: Qrels, system: System) -> dict[str, dict[str, float]]:
    judged = found_queries(qrels, system) if reproduction.found_only else sorted(qrels)
    groups = group_queries(judged, {}) if reproduction.by_language else {EVERYTHING: judged}
    qids = [qid for group in groups.values() for qid in group]
    if not qids:
        return {}
    place = {qid: number for number, qid in enumerate(qids)}
    metrics = [metric for metric in reproduction.measured(system.name) if metric not in FAIRNESS]
    scores = score_queries(qrels, system.run, qids, metrics)
    result = {}
    for metric in metrics:
        by_language = {
            language: float(scores[metric][[place[qid] for qid in group]].mean())
            for language, group in groups.items()
        }
        result[metric] = by_language
        if reproduction.by_language:
            chosen = [by_language[language] for language in reproduction.mean_of or by_language]
            result[metric] = by_language | {MEAN: float(np.mean(chosen))}
    return result


def found_queries(qrels: Qrels, system: System) -> list[str]:
    """List the queries that a system has a relevant passage for among its hits."""
    return [
        qid
        for qid, judged in sorted(qrels.items())
        if any(judged.get(docid, 0) > 0 for docid in system.run.get(qid, ()))
    ]


def _read_kept(folder: Path, system: str, faults: dict[str, str]) -> System | None:
    name = run_name(system)
    return _try(lambda: read_system(system, [str(folder / name)]), name, faults)


def _try(read: Callable[[], T], name: str, faults: dict[str, str]) -> T | None:
    try:
        return read()
    except QgdrError as error:
        faults.setdefault(name, str(error))
        return None
