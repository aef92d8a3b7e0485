"""From a corpus to a Pyserini FAISS index."""
