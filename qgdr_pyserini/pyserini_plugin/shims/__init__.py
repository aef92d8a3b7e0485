"""One function per file: what is done around the execution of one of Pyserini's modules.

Each does nothing where the defect it is there for is absent.
"""
