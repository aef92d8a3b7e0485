"""Dictionary-based query translation: questions translated word by word."""
