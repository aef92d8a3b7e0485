"""Fusion: several systems' hits merged by ranx into one more system."""

from __future__ import annotations

import difflib
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from qgdr_pyserini.collection.trec import Run, rank_hits
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.metrics import import_ranx
from qgdr_pyserini.evaluate.systems import System

BY_RANK = ("rrf", "isr", "log_isr", "logn_isr", "bordafuse")
BY_SCORE = ("sum", "mnz", "anz", "max", "min", "med")
"""These add up scores, which are min-max normalised for each query first, as `pyserini.fusion` does."""


def add_fused(systems: Sequence[System], options: Iterable[str]) -> list[System]:
    """Fuse systems as ``--fuse`` says.

    Parameters
    ----------
    systems
        What can be fused.
    options
        ``[NAME=]METHOD[:SYSTEM,SYSTEM...]``; METHOD is one of `BY_RANK` or `BY_SCORE`. Without a name the
        system is called METHOD, without systems all given ones are fused. ``sum`` takes weights, too:
        ``sum:SYSTEM*WEIGHT,SYSTEM*WEIGHT``.

    Returns
    -------
    list of System
        The systems given, then the fused ones.

    Raises
    ------
    QgdrError
        If a method or system is unknown, a name is taken, there are fewer than two systems to fuse, or
        weights are not such as can be used.
    """
    found = list(systems)
    for option in options:
        name, method, members, weights = _parse(option, systems)
        if name in [system.name for system in found]:
            raise QgdrError(f"--fuse {option!r}: there is a system {name!r} already; say NAME={option}")
        found.append(fuse(name, method, members, weights))
    return found


def fuse(name: str, method: str, systems: Sequence[System], weights: Sequence[float] = ()) -> System:
    """Fuse systems; parameters as in `add_fused`.

    Hits with equal fused scores are ordered as trec_eval does, by docid.

    Parameters
    ----------
    name
        What to call the result.
    method
        One of `BY_RANK` or `BY_SCORE`.
    systems
        At least two. One without hits for a query has no say in it.
    weights
        Of ``sum``, one for each system; all weigh alike where there are none.

    Returns
    -------
    System
        With the hits of all.
    """
    ranx, _ = import_ranx()
    qids = sorted({qid for system in systems for qid in system.run})
    runs = [ranx.Run(_prepared(system.run, qids, method), name=system.name) for system in systems]
    # The best score is 1, so that this norm changes none. Without any, ranx cuts the ids of later runs to the
    # length of the first run's longest.
    norm = "max" if method in BY_SCORE else None
    with warnings.catch_warnings():
        # While compiling, numba remarks on integer casts inside ranx.
        warnings.simplefilter("ignore")
        weighted = {"method": "wsum", "params": {"weights": list(weights)}} if weights else {"method": method}
        fused = ranx.fuse(runs, norm=norm, **weighted).to_dict()
    run = {qid: rank_hits({docid: float(score) for docid, score in fused[qid].items()}) for qid in qids}
    names = ", ".join(_told(system.name, weight) for system, weight in zip_longest(systems, weights))
    files = tuple(dict.fromkeys(file for system in systems for file in system.files))
    return System(name, files, run, f"{name} is fused from {names} by ranx ({method}).")


def check_weights(method: str, weights: Sequence[float], systems: int) -> None:
    """Raise `QgdrError` unless a method can be given these weights; none can be given to any."""
    if not weights:
        return
    if method != "sum":
        raise QgdrError(f"weights are for method sum, not {method}; take them out")
    if len(weights) != systems:
        raise QgdrError(f"{len(weights)} weights for {systems} systems; give every system one, or none")
    if not all(math.isfinite(weight) and weight > 0 for weight in weights):
        raise QgdrError("weights have to be above 0")


def check_method(method: str) -> None:
    """Raise `QgdrError` unless ``method`` is one of `BY_RANK` or `BY_SCORE`."""
    if method not in (*BY_RANK, *BY_SCORE):
        near = difflib.get_close_matches(method, (*BY_RANK, *BY_SCORE), n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join((*BY_RANK, *BY_SCORE))}"
        raise QgdrError(f"unknown method {method!r}; {hint}")


def _prepared(run: Run, qids: Iterable[str], method: str) -> Run:
    """Give every query to ranx: with normalised scores, or, for ranks, such as sorting keeps apart."""
    prepare = min_max if method in BY_SCORE else _by_rank
    return {qid: prepare(run.get(qid, {})) for qid in qids}


def min_max(hits: Mapping[str, float]) -> dict[str, float]:
    """Normalise scores (min-max); equal ones become 1, where ranx would make them 0."""
    low, high = min(hits.values(), default=0.0), max(hits.values(), default=0.0)
    if low == high:
        return dict.fromkeys(hits, 1.0)
    return {docid: (score - low) / (high - low) for docid, score in hits.items()}


def _by_rank(hits: Mapping[str, float]) -> dict[str, float]:
    return {docid: float(-rank) for rank, docid in enumerate(hits)}


def _told(name: str, weight: float | None) -> str:
    return name if weight is None else f"{name}*{weight:g}"


def _parse(option: str, systems: Sequence[System]) -> tuple[str, str, list[System], list[float]]:
    named, equals, rest = option.partition("=")
    method, colon, listed = (rest if equals else option).partition(":")
    by_name = {system.name: system for system in systems}
    chosen = dict(_weighted(item, by_name) for item in listed.split(",")) if colon else dict.fromkeys(by_name)
    weights = [weight for weight in chosen.values() if weight is not None]
    try:
        check_method(method)
        check_weights(method, weights, len(chosen))
    except QgdrError as error:
        raise QgdrError(f"--fuse {option!r}: {error}") from None
    if unknown := [name for name in chosen if name not in by_name]:
        raise QgdrError(f"--fuse {option!r}: {unknown[0]!r} is none of the systems: {', '.join(by_name)}")
    if len(chosen) < 2:
        raise QgdrError(f"--fuse {option!r}: needs two systems or more; give another --run")
    return (named.strip() if equals else "") or method, method, [by_name[name] for name in chosen], weights


def _weighted(item: str, known: Mapping[str, System]) -> tuple[str, float | None]:
    """Take the weight off a system's name, if there is one."""
    name, star, weight = item.rpartition("*")
    if item in known or not star:
        return item, None
    try:
        return name, float(weight)
    except ValueError:
        return item, None
