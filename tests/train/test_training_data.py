"""What a recipe's settings take of a training folder."""

import dataclasses
from collections import Counter

from qgdr_pyserini.train.data import DataSettings, Queries, read_training_data
from qgdr_pyserini.train.selection import question_name


def test_held_out_queries_are_searched_in_as_many_passages_as_asked(invented_folder):
    everything, few = (read_training_data(invented_folder, DataSettings(pool=pool), 0.1) for pool in (0, 25))
    own = {item.passage.docid for row in few.held_out for item in row.positives}
    kept = [passage.docid for passage in few.pool()]
    assert own
    assert own <= set(kept)
    assert len(kept) == len(own) + 25
    assert len(list(everything.pool())) > len(kept)
    assert few.digest == everything.digest


def test_labels_are_hidden_and_languages_left_out_as_asked(invented_folder):
    every = read_training_data(invented_folder, DataSettings(), 0.1)
    few = read_training_data(invented_folder, DataSettings(labels=0.05, without=["it", "da"]), 0.1)
    more = DataSettings(without=["fi", "ru"], unlabelled_per_language=5)
    asked_without = read_training_data(invented_folder, more, 0.1).unlabelled
    assert asked_without
    assert not {"fi", "ru"} & {row.lang for row in asked_without}
    asked = {row.query_id for row in every.rows if row.lang not in ("it", "da")}
    labelled = {row.query_id for row in few.rows}
    hidden = {row.query_id for row in few.unlabelled}
    assert labelled | hidden == asked
    assert not labelled & hidden
    assert 0 < len(labelled) < 0.1 * len(asked)
    assert not {"it", "da"} & {*few.languages}
    assert {"it", "da"} & {row.lang for row in few.held_out}
    assert few.digest != every.digest


def test_parallel_queries_are_taken_together_and_with_their_english(invented_folder):
    every = read_training_data(invented_folder, DataSettings(), 0.1)
    taken = read_training_data(invented_folder, DataSettings(distilled_per_language=2), 0.1).distilled
    names = {question_name(row.query_id, row.lang) for row in taken}
    english = {row.query_id for row in taken if row.lang == "en"}
    assert english >= {
        row.query_id for row in every.rows if row.lang == "en" and question_name(row.query_id, "en") in names
    }
    counts = Counter(row.lang for row in taken)
    assert max(count for lang, count in counts.items() if lang != "en") == 2
    assert len({row.query_id for row in taken}) == len(taken)


def test_queries_of_the_articles_that_are_asked_about_most_are_distilled(invented_folder):
    every = read_training_data(invented_folder, DataSettings(), 0.1)
    few = read_training_data(invented_folder, DataSettings(distilled_articles=2), 0.1)
    counts = Counter(row.positives[0].passage.title for row in every.rows)
    titles = {row.positives[0].passage.title for row in few.distilled}
    assert len(titles) == 2
    assert min(counts[title] for title in titles) >= max(
        count for title, count in counts.items() if title not in titles
    )
    assert few.rows == every.rows
    assert few.digest == every.digest
    hidden = read_training_data(invented_folder, DataSettings(distilled_articles=2, labels=0.5), 0.1)
    assert {row.query_id for row in hidden.distilled} == {row.query_id for row in few.distilled}


def test_other_queries_as_many_are_another_stage(invented_folder):
    settings = (DataSettings(limit_per_language=10, distilled_articles=count) for count in (3, 4))
    chosen = [read_training_data(invented_folder, one, 0.1) for one in settings]
    digests = [data.distilled.fingerprint for data in chosen]
    assert digests[0] != digests[1]
    assert digests[0] == Queries(chosen[0].distilled, chosen[0].files).fingerprint
    hidden = [dataclasses.replace(row, positives=()) for row in chosen[0].distilled]
    assert Queries(hidden, chosen[0].files).fingerprint != digests[0]
    assert Queries(chosen[0].distilled, "other files").fingerprint != digests[0]
