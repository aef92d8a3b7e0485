"""Encoding in processes of their own, which can be killed."""

import multiprocessing

import torch

from qgdr_pyserini.encode.encode_corpus import encode_corpus

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["qgdr_pyserini.encode.encode_corpus"])


def encode(corpus, index, encoder, options):
    """Go on with an index on one thread, or begin it."""
    torch.set_num_threads(1)
    encode_corpus(corpus, index, str(encoder), options=options, resume=True)


def start(corpus, index, encoder, options):
    """Encode beside this process; return the other."""
    process = PROCESSES.Process(target=encode, args=(corpus, index, encoder, options))
    process.start()
    return process


def finish(corpus, index, encoder, options):
    """Encode in another process, to the end."""
    process = start(corpus, index, encoder, options)
    process.join()
    assert process.exitcode == 0
