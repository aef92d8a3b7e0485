"""What a notebook or a script calls: the names at the top of the package, see `docs/how-to/python.md`."""
