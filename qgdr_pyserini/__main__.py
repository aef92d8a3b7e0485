"""``python -m qgdr_pyserini``: the ``qgdr`` command, for where the script is not on the path."""

from qgdr_pyserini.cli import main

main()
