"""Corpora, topics, qrels, answers and training sets."""
