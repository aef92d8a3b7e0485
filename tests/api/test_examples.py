"""Examples for people: the first question of a language whose passage is ranked first."""

from qgdr_pyserini.evaluate.per_query import found_first


def test_the_first_question_found_at_once_is_shown(tmp_path):
    (tmp_path / "corpus.jsonl").write_text(
        '{"id": "a", "contents": "A\\nfirst"}\n{"id": "b", "contents": "B\\nsecond"}\n'
    )
    (tmp_path / "topics.de.tsv").write_text("x-de-1\tEins?\nx-de-2\tZwei?\nx-de-3\tDrei?\n")
    (tmp_path / "topics.fr.tsv").write_text("x-fr-1\tUn ?\n")
    (tmp_path / "qrels.txt").write_text("x-de-1 0 a 1\nx-de-2 0 b 1\nx-de-3 0 b 1\nx-fr-1 0 a 1\n")
    (tmp_path / "run.txt").write_text("x-de-1 Q0 b 1 2.0 t\nx-de-1 Q0 a 2 1.0 t\nx-de-2 Q0 b 1 2.0 t\n")
    names = ("run.txt", "qrels.txt", "corpus.jsonl")
    files = [tmp_path / "topics.de.tsv", tmp_path / "topics.fr.tsv"]
    assert list(found_first(*(tmp_path / name for name in names), files)) == [("Zwei?", "B", "second")]
