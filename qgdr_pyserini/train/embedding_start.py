"""Subword vectors for new languages in the space of an English encoder's, from translations."""

from __future__ import annotations

import copy
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from qgdr_pyserini.collection.training_set import TrainingSet
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.train.embedding_start_settings import EmbeddingStartSettings
from qgdr_pyserini.train.english_vocabulary import as_piece

_LONGEST = 128
_BLOCK = 20_000
_MOST_WORDS = 150_000


@torch.no_grad()
def extend_vocabulary(
    english: DualEncoder,
    tokenizer: PreTrainedTokenizerBase,
    data: TrainingSet,
    settings: EmbeddingStartSettings,
    say: Callable[[str], object] = lambda line: None,
) -> DualEncoder:
    """Give an English encoder a multilingual vocabulary.

    A subword that the English encoder has keeps its vector. The others get those vectors with which a
    text's mean vector comes nearest, over all translations, to the mean vector of its English: ridge
    regression, solved by conjugate gradients. A closed form of what WECHSEL (Minixhofer et al. 2022)
    does with a dictionary, and sentences tell it the function words besides.

    Parameters
    ----------
    english
        The encoder; a BERT with WordPiece vocabulary. Left as it is.
    tokenizer
        The new vocabulary, from `qgdr_pyserini.train.vocabulary.learn_vocabulary`.
    data
        Translations.
    settings
        Of the fit.
    say
        Called with a line now and then.

    Returns
    -------
    DualEncoder
        With the English encoder's layers.
    """
    theirs = english.model.get_input_embeddings().weight.detach().float()
    known = _known_vectors(english.tokenizer, tokenizer, theirs)
    is_known = torch.tensor([piece in known for piece in range(len(tokenizer))])
    vectors = theirs.mean(dim=0).repeat(len(tokenizer), 1)
    vectors[is_known] = torch.stack([known[piece] for piece in sorted(known)])
    texts, translations, weights = _pairs(data, settings.name_weight)
    ours, lengths = _counts(tokenizer, texts)
    english_counts, english_lengths = _counts(english.tokenizer, translations)
    # A row is a text: its subwords' sum against its English's, at the text's length; the longer, the noisier.
    scale = (weights / lengths).sqrt()
    rows = _scaled(ours, scale)
    residual = _product(_scaled(english_counts, scale * lengths / english_lengths), theirs)
    residual -= _product(rows, vectors)
    change = _ridge(_only_columns(rows, ~is_known), residual, settings, say)
    vectors[~is_known] += change
    return _with_vocabulary(english, tokenizer, vectors)


def _known_vectors(
    old: PreTrainedTokenizerBase, new: PreTrainedTokenizerBase, vectors: torch.Tensor
) -> dict[int, torch.Tensor]:
    """Find the vector of every new subword that the old vocabulary has, too."""
    pieces, found = new.get_vocab(), dict[int, torch.Tensor]()
    for token, number in sorted(old.get_vocab().items(), key=lambda item: item[1]):
        piece = token if token in old.all_special_tokens else as_piece(token)
        if piece in pieces and pieces[piece] not in found:
            found[pieces[piece]] = vectors[number]
    return found


def _pairs(data: TrainingSet, name_weight: float) -> tuple[list[str], list[str], torch.Tensor]:
    """List texts, their English, and how much they count; English words stand for themselves."""
    rows = [*data.questions, *data.sentences, *data.lexicon]
    words = [word for word, _ in Counter(_english_words(data)).most_common(_MOST_WORDS)]
    texts = [*(row.text for row in rows), *words, *(row.text for row in data.names)]
    english = [*(row.english for row in rows), *words, *(row.english for row in data.names)]
    weights = torch.ones(len(texts))
    weights[len(texts) - len(data.names) :] = name_weight
    return texts, english, weights


def _english_words(data: TrainingSet) -> Iterator[str]:
    for passage in data.passages.values():
        yield from passage.contents.lower().split()
    for query in data.queries:
        if query.lang == "en":
            yield from query.query.lower().split()
    for english in sorted({row.english for rows in (data.questions, data.sentences) for row in rows}):
        yield from english.lower().split()


def _counts(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Count subwords: ``(texts, subwords)``, sparse by rows, and each text's number of them."""
    columns, lengths = list[np.ndarray](), list[int]()
    for start in range(0, len(texts), _BLOCK):
        block = tokenizer(
            list(texts[start : start + _BLOCK]),
            add_special_tokens=False,
            truncation=True,
            max_length=_LONGEST,
            return_attention_mask=False,
        )["input_ids"]
        lengths += [len(row) for row in block]
        columns.append(np.concatenate([np.asarray(row, dtype=np.int64) for row in block]))
    ends = torch.tensor([0, *lengths]).cumsum(0)
    numbers = torch.from_numpy(np.concatenate(columns))
    counts = _csr(ends, numbers, torch.ones(len(numbers)), (len(texts), len(tokenizer)))
    return counts, torch.tensor(lengths, dtype=torch.float32).clamp(min=1)


def _csr(
    ends: torch.Tensor, columns: torch.Tensor, values: torch.Tensor, shape: tuple[int, int]
) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # PyTorch calls all of torch.sparse a beta
        return torch.sparse_csr_tensor(ends, columns, values, size=shape, check_invariants=False)


def _rows_of(matrix: torch.Tensor) -> torch.Tensor:
    """Give the row of each value."""
    return torch.repeat_interleave(torch.arange(matrix.shape[0]), matrix.crow_indices().diff())


def _scaled(matrix: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    values = matrix.values() * scale[_rows_of(matrix)]
    return _csr(matrix.crow_indices(), matrix.col_indices(), values, (matrix.shape[0], matrix.shape[1]))


def _only_columns(matrix: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    kept = chosen[matrix.col_indices()]
    number = chosen.cumsum(0) - 1
    lengths = torch.bincount(_rows_of(matrix)[kept], minlength=matrix.shape[0])
    ends = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    columns = number[matrix.col_indices()[kept]]
    return _csr(ends, columns, matrix.values()[kept], (matrix.shape[0], int(chosen.sum())))


def _transposed(matrix: torch.Tensor) -> torch.Tensor:
    """Store by rows what was stored by columns; PyTorch's own way forgets to add up, and is slow."""
    order = torch.argsort(matrix.col_indices(), stable=True)
    lengths = torch.bincount(matrix.col_indices(), minlength=matrix.shape[1])
    ends = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    return _csr(ends, _rows_of(matrix)[order], matrix.values()[order], (matrix.shape[1], matrix.shape[0]))


def _product(matrix: torch.Tensor, dense: torch.Tensor) -> torch.Tensor:
    product: torch.Tensor = matrix @ dense
    return product


def _ridge(
    rows: torch.Tensor,
    targets: torch.Tensor,
    settings: EmbeddingStartSettings,
    say: Callable[[str], object],
) -> torch.Tensor:
    """Minimise ``|rows x - targets|² + ridge |x|²`` by conjugate gradients, all components side by side."""
    across = _transposed(rows)
    squares = torch.zeros(rows.shape[1]).index_add_(0, rows.col_indices(), rows.values().square())
    diagonal = (squares + settings.ridge).unsqueeze(1)
    residual = _product(across, targets)
    solution, first = torch.zeros_like(residual), residual.norm()
    preconditioned = residual / diagonal
    direction, before = preconditioned.clone(), (residual * preconditioned).sum(0)
    for number in range(1, settings.iterations + 1):
        applied = _product(across, _product(rows, direction)) + settings.ridge * direction
        step = before / (direction * applied).sum(0).clamp(min=1e-30)
        solution += step * direction
        residual -= step * applied
        preconditioned = residual / diagonal
        now = (residual * preconditioned).sum(0)
        direction = preconditioned + now / before.clamp(min=1e-30) * direction
        before = now
        if number % 5 == 0:
            say(f"subword vectors: iteration {number}, residual {float(residual.norm() / first):.4f}")
    return solution


def _with_vocabulary(
    english: DualEncoder, tokenizer: PreTrainedTokenizerBase, vectors: torch.Tensor
) -> DualEncoder:
    model: PreTrainedModel = copy.deepcopy(english.model)
    padding = tokenizer.pad_token_id
    table = torch.nn.Embedding(len(vectors), vectors.shape[1], padding_idx=padding, _weight=vectors)
    model.set_input_embeddings(table)
    model.config.vocab_size, model.config.pad_token_id = len(vectors), padding
    # Distillation has a target for every text; dropout would only add noise to it.
    model.config.hidden_dropout_prob = model.config.attention_probs_dropout_prob = 0.0
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return DualEncoder(model.eval(), tokenizer, english.config)
