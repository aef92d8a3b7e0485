"""What a query generator is: a language model that writes questions for passages, and so can score them."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from pydantic import Field, field_validator
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.hub import Pushable
from qgdr_pyserini.model.loading import ModelSource, is_causal, load_model
from qgdr_pyserini.model.precision import Precision
from qgdr_pyserini.model.prompt import Prompt, unknown_field, write_prompt
from qgdr_pyserini.model.teacher import Query, Teacher, TeacherSettings

IGNORED = -100
"""The label that transformers leaves out of losses."""


class GeneratorSettings(TeacherSettings):
    """What goes into a query generator, and how much of it.

    Parameters
    ----------
    prompt
        What it reads: ``{title}``, ``{text}``, and ``{language}``, the language's English name. Empty: the
        default of its kind, `Seq2SeqGenerator.PROMPT` or `CausalGenerator.PROMPT`.
    query_max_length, passage_max_length
        In tokens. The passage's includes the prompt's words, those after ``{language}`` excepted; the end of
        the passage is what is cut.
    score_end
        Whether the end token is one of the tokens that a score is the mean over. None: yes for an
        encoder-decoder, which always does so, and no for a causal model: one that was never trained
        to end a question there gives the end a probability that tells nothing of the passage.
    """

    prompt: str = ""
    query_max_length: int = Field(default=64, ge=2)
    passage_max_length: int = Field(default=256, ge=8)
    score_end: bool | None = None

    @field_validator("prompt")
    @classmethod
    def _fields_are_known(cls, prompt: str) -> str:
        if (name := unknown_field(prompt)) is not None:
            raise ValueError(f"has {{{name}}}, which stands for nothing; use title, text and language")
        return prompt


class GeneratedQuery(NamedTuple):
    """A question in a language, for the passage at this place."""

    passage: int
    language: str
    text: str


class QueryGenerator(torch.nn.Module, Pushable, Teacher):
    r"""Scores a query by how likely the generator would have asked it, given the passage.

    .. math:: t(q, p) = \frac{1}{|q|} \sum_i \log P(q_i \mid q_{<i}, p)

    Ren et al. 2022 (QuiCK), who train the generator; Sachan et al. 2022 (UPR) for the score, untrained.

    Parameters
    ----------
    model
        A language model of transformers.
    tokenizer
        Its tokenizer.
    settings
        Prompt and lengths.
    batch_size
        Passages encoded at a time.
    memory_mb
        Megabytes that caches, and a chunk of logits, may each take while scoring.

    Examples
    --------
    >>> generator = QueryGenerator.from_pretrained("google/mt5-base")  # doctest: +SKIP
    >>> danube = Passage("1", "Danube", "It rises in the Black Forest.")  # doctest: +SKIP
    >>> generator.score([Query("Wo entspringt die Donau?", "de")], [danube])  # doctest: +SKIP
    >>> generator.generate([danube], ["de", "zh"], n=10, seed=0)  # doctest: +SKIP
    """

    PROMPT: ClassVar[str]
    """The prompt where the settings have none."""

    AUTO_MODEL: ClassVar[Any]
    """The class of transformers that loads the model."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        settings: GeneratorSettings,
        *,
        batch_size: int = 16,
        memory_mb: int = 64,
    ) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.settings = settings
        self.batch_size = batch_size
        self.memory_mb = memory_mb

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str],
        device: str = "cpu",
        *,
        precision: Precision = "fp32",
        batch_size: int = 16,
    ) -> QueryGenerator:
        """Load a trained one by its name or folder, to score with or to write.

        Parameters
        ----------
        name
            A folder or a name on the Hugging Face hub: what `save_pretrained` wrote, or any seq2seq or
            causal language model of transformers; a GGUF file too.
        device
            ``cpu``, ``cuda``, ``cuda:1``, …
        precision
            Of the weights and of what is computed: ``fp32``, ``bf16``, or ``auto``.
        batch_size
            Passages encoded at a time.

        Raises
        ------
        QgdrError
            If there is no such model, it is of another kind or was never trained for this, or the device is
            absent.
        """
        from qgdr_pyserini.model.teachers import load_generator  # which knows this class

        name = os.fspath(name)
        teacher = load_generator(name, device=device, precision=precision, batch_size=batch_size)
        teacher.folder = Path(name)
        return teacher

    @classmethod
    def load(
        cls,
        source: ModelSource,
        settings: GeneratorSettings | None = None,
        *,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        whole: bool = False,
        **options: Any,
    ) -> QueryGenerator:
        """Load a checkpoint, in evaluation mode.

        Parameters
        ----------
        source
            Where from. Its configuration decides which kind of generator it is.
        settings
            Prompt and lengths; those saved with the checkpoint, or the defaults, when None.
        seed
            Of random weights.
        dtype, whole
            See `qgdr_pyserini.model.loading.load_model`.
        options
            ``batch_size`` and ``memory_mb``.
        """
        kind = _kind(source) if cls is QueryGenerator else cls
        model, tokenizer = load_model(source, kind.AUTO_MODEL, seed=seed, dtype=dtype, whole=whole)
        found = settings or GeneratorSettings.saved_or_default(source.checkpoint)
        return kind(model, tokenizer, found, **options).eval()

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write a folder that `load` and transformers load."""
        self.model.save_pretrained(folder, safe_serialization=True)
        self.tokenizer.save_pretrained(folder)
        self.settings.save(Path(folder))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @abstractmethod
    def forward(self, prompts: dict[str, torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        """Score pairs one by one, with gradients.

        Parameters
        ----------
        prompts
            ``input_ids`` and ``attention_mask``, each ``(pairs, tokens)``.
        labels
            The queries' tokens, -100 for padding, ``(pairs, query tokens)``.

        Returns
        -------
        torch.Tensor
            t(q, p), ``(pairs,)``.
        """

    @abstractmethod
    def collate_texts(
        self, prompts: Sequence[Prompt], targets: Sequence[str], *, end: bool = True
    ) -> dict[str, Any]:
        """Turn prompts and what is to be written for each, row by row, into what `forward` takes.

        Parameters
        ----------
        prompts, targets
            As many of the one as of the other.
        end
            Whether the end token is to be written, too.
        """

    @abstractmethod
    def _generate(
        self, passages: Sequence[Passage], language: str, n: int, top_k: int
    ) -> Iterator[GeneratedQuery]:
        """Write n questions for each passage; those that are not empty."""

    def generate(
        self,
        passages: Sequence[Passage],
        languages: Iterable[str],
        n: int,
        *,
        seed: int,
        top_k: int = 10,
    ) -> list[GeneratedQuery]:
        """Write questions by top-k sampling.

        Parameters
        ----------
        passages
            What to ask about.
        languages
            ISO codes of the languages to ask in.
        n
            Questions for each passage and language; empty ones are left out.
        seed
            Equal seeds, inputs, batch sizes and machines give equal questions.
        top_k
            Every token is drawn from this many most likely ones; the paper's 10.
        """
        self.refuse_half_precision()
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            return [query for language in languages for query in self._generate(passages, language, n, top_k)]

    def prompt(self, passage: Passage, language: str) -> Prompt:
        """Write the generator's input for a question about a passage in a language."""
        return write_prompt(self.settings.prompt or self.PROMPT, passage, language)

    def collate(self, queries: Sequence[Query], passages: Sequence[Passage]) -> dict[str, Any]:
        """Turn pairs, row by row, into what `forward` takes to score them."""
        prompts = [self.prompt(p, q.language) for q, p in zip(queries, passages, strict=True)]
        return self.collate_texts(prompts, [query.text for query in queries], end=self.scores_end)

    @property
    @abstractmethod
    def scores_end(self) -> bool:
        """Whether the end token counts; see `GeneratorSettings`."""

    def refuse_half_precision(self) -> None:
        """Raise a `QgdrError` where the weights are in fp16."""
        if self.model.dtype == torch.float16:
            raise QgdrError("a query generator in fp16 overflows to NaN (mT5 does); use bf16 or fp32")


def _kind(source: ModelSource) -> type[QueryGenerator]:
    # Both kinds are made from this file's class.
    from qgdr_pyserini.model.causal_generator import CausalGenerator
    from qgdr_pyserini.model.seq2seq_generator import Seq2SeqGenerator

    return CausalGenerator if is_causal(source) else Seq2SeqGenerator
