"""How stock Pyserini finds our encoders."""
