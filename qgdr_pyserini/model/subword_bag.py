"""A bag of subword vectors: the smallest dual encoder, and the start of larger ones."""

from __future__ import annotations

import torch
from transformers import BertConfig, BertModel

# Room in each vector for the two components that LayerNorm's mean and variance are fixed with.
_BALANCE = 2


class SubwordBag(torch.nn.Module):
    """Text vectors as sums of one learned vector a subword, whose length is the subword's weight.

    Trained as it is, with no padding and no token states kept, it needs a fraction of the memory
    traffic of the transformer that `to_bert` turns it into.

    Parameters
    ----------
    vocabulary
        Number of subwords.
    dimension
        Components of the exported vectors; two of them stay zero.
    """

    def __init__(self, vocabulary: int, dimension: int) -> None:
        super().__init__()
        self.dimension = dimension
        self.vectors = torch.nn.EmbeddingBag(vocabulary, dimension - _BALANCE, mode="sum")
        torch.nn.init.normal_(self.vectors.weight, std=0.1)

    def forward(self, ids: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Encode texts.

        Parameters
        ----------
        ids
            Subwords of all texts in a row, ``(subwords,)``.
        offsets
            Where each text begins in ``ids``, ``(texts,)``.

        Returns
        -------
        torch.Tensor
            Unit vectors, ``(texts, dimension - 2)``.
        """
        summed: torch.Tensor = self.vectors(ids, offsets)
        return torch.nn.functional.normalize(summed, dim=-1)

    @torch.no_grad()
    def to_bert(self, max_positions: int = 512) -> BertModel:
        """Express the bag as a BERT without layers, which gives the same vectors.

        BERT puts a LayerNorm after the embedding look-up, which would make all subwords weigh
        the same. Two more components per subword, summing with the others to zero mean and to
        one length common to all subwords, make that LayerNorm a multiplication by a constant;
        its gain undoes the constant and blanks the two.

        Parameters
        ----------
        max_positions
            Longest text, in subwords. Positions have no influence.

        Returns
        -------
        transformers.BertModel
            To be pooled by the mean and normalised.
        """
        vectors = self.vectors.weight.detach().double()
        total, square = vectors.sum(dim=1), vectors.square().sum(dim=1)
        # The two solve a + b = -total and a² + b² = length² - square.
        length = 1.01 * (square + total.square() / 2).max().sqrt()
        root = (2 * (length.square() - square) - total.square()).sqrt()
        balance = torch.stack([(-total + root) / 2, (-total - root) / 2], dim=1)
        bert = _bert_without_layers(len(vectors), self.dimension, max_positions)
        bert.embeddings.word_embeddings.weight.copy_(torch.cat([vectors, balance], dim=1))
        bert.embeddings.LayerNorm.weight.fill_(length.item() / self.dimension**0.5)
        bert.embeddings.LayerNorm.weight[-_BALANCE:] = 0
        return bert


def _bert_without_layers(vocabulary: int, dimension: int, max_positions: int) -> BertModel:
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=dimension,
        num_hidden_layers=0,
        num_attention_heads=max(1, dimension // 64),
        intermediate_size=4 * dimension,
        max_position_embeddings=max_positions,
        type_vocab_size=1,
    )
    bert = BertModel(config).eval()
    for parameter in bert.parameters():
        parameter.zero_()
    return bert
