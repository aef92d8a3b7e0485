"""Measures of whether a ranking treats passages of several languages alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def awrf(ranked: Sequence[str], target: Mapping[str, float]) -> float:
    r"""Compute attention-weighted rank fairness.

    The passage at rank r gets the attention 1 / log2(r + 1), as in DCG; the exposure of a language is its
    passages' share of all attention. The measure is 1 − JSD(exposure, target), the Jensen-Shannon divergence
    in bits: 1 where exposure is as the target wants, 0 where they have no language in common. After
    Sapiezynski et al., "Quantifying the Impact of User Attention on Fair Group Representation in Ranked
    Lists" (WWW 2019 companion), in the form of the TREC Fair Ranking tracks of 2021 and 2022.

    Parameters
    ----------
    ranked
        Languages of the hits in rank order; at least one.
    target
        By language, the share that it should have, such as that of the pool; shares add up to 1.

    Examples
    --------
    >>> round(awrf(["de", "zh"], {"de": 0.5, "zh": 0.5}), 4)
    0.9906
    >>> awrf(["de", "de"], {"zh": 1.0})
    0.0
    """
    from scipy.spatial.distance import jensenshannon

    languages = sorted({*ranked, *target})
    place = {language: number for number, language in enumerate(languages)}
    exposure = np.zeros(len(languages))
    for rank, language in enumerate(ranked, 1):
        exposure[place[language]] += 1 / np.log2(rank + 1)
    wanted = [target.get(language, 0.0) for language in languages]
    # What SciPy calls the distance is the root of the divergence.
    return 1.0 - float(jensenshannon(exposure, wanted, base=2)) ** 2


def peer(
    hits: Sequence[str], judged: Mapping[str, int], languages: Mapping[str, str], cut: int
) -> float | None:
    """Compute the probability of equal expected rank (PEER).

    Within each level of relevance, a Kruskal-Wallis test asks whether the ranks of the passages could be
    the same in every language; the measure is the mean of its p-values over the levels. Relevant passages
    that are not among the first hits share the rank behind these. After Yang, Jänich, Mayfield and Lawrie,
    "Language Fairness in Multilingual Information Retrieval" (SIGIR 2024), with equal weights for all levels
    above 0; ranks are those within the level, as the test is defined.

    Parameters
    ----------
    hits
        Docids in rank order.
    judged
        Grade by docid.
    languages
        Language by docid.
    cut
        How many hits count.

    Returns
    -------
    float or None
        Between 0 and 1, the fairer the higher. None where no level can tell: a test of one language, or of
        one passage in each, gives the same p-value whatever the ranking.

    Examples
    --------
    >>> languages = {"d1": "de", "d2": "de", "z1": "zh", "z2": "zh"}
    >>> relevant = dict.fromkeys(languages, 1)
    >>> round(peer(["d1", "d2", "z1", "z2"], relevant, languages, 10), 4)
    0.1213
    >>> round(peer(["d1", "z1", "z2", "d2"], relevant, languages, 10), 4)
    1.0
    >>> peer(["d1", "z1"], {"d1": 1, "z1": 1}, languages, 10) is None
    True
    """
    ranks = {docid: rank for rank, docid in enumerate(hits[:cut], 1)}
    values = []
    for level in {grade for grade in judged.values() if grade > 0}:
        groups: dict[str, list[int]] = {}
        for docid, grade in judged.items():
            if grade == level:
                groups.setdefault(languages[docid], []).append(ranks.get(docid, cut + 1))
        if len(groups) > 1 and max(map(len, groups.values())) > 1:
            values.append(_equal_ranks([np.array(group) for group in groups.values()]))
    return float(np.mean(values)) if values else None


def _equal_ranks(groups: Sequence[NDArray[np.int_]]) -> float:
    from scipy.stats import kruskal

    # Where all are equal there is nothing to test, and SciPy gives NaN.
    return 1.0 if np.ptp(np.concatenate(groups)) == 0 else float(kruskal(*groups).pvalue)
