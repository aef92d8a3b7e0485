"""Reports of a comparison: HTML, Markdown, LaTeX, JSON, figures, and tables on the terminal."""
