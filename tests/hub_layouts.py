"""Small checkpoints with the files, classes and tokenizers of well-known ones on the hub."""

import json

import sentencepiece
import torch
from tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    MT5Config,
    MT5ForConditionalGeneration,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
)

TEXTS = [
    "Generate a German question for this passage: Danube It rises in the Black Forest.",
    "Generate a Chinese question for this passage: Rhine The Rhine flows to the North Sea.",
    "Wo entspringt die Donau? Wohin fließt der Rhein?",
    "¿Dónde nace el Danubio? ¿Dónde está el Rin?",
    "Где берёт начало Дунай? Куда течёт Рейн?",
    "多瑙河发源于哪里？莱茵河流向哪里？",
    "أين ينبع نهر الدانوب؟",
] * 20


def mt5(folder, vocabulary=300, texts=TEXTS):
    """``google/mt5-base``: a sentencepiece model, no tokenizer.json, more embeddings than tokens."""
    folder.mkdir()
    special = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    _sentencepiece(folder / "spiece.model", vocabulary, special, texts)
    _write(folder / "tokenizer_config.json", {"tokenizer_class": "T5Tokenizer", "extra_ids": 0})
    torch.manual_seed(1)
    config = MT5Config(
        vocab_size=vocabulary + 12, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4,
        decoder_start_token_id=0,
    )  # fmt: skip
    model = MT5ForConditionalGeneration(config)
    # Fresh weights make one token nearly certain, whatever the passage.
    model.shared.weight.data.mul_(0.3)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    return folder


def xlm_roberta(folder, vocabulary=300, texts=TEXTS):
    """``xlm-roberta-base``: a masked language model with a sentencepiece tokenizer in tokenizer.json."""
    folder.mkdir()
    special = {"bos_id": 0, "pad_id": 1, "eos_id": 2, "unk_id": 3}
    _sentencepiece(folder / "sentencepiece.bpe.model", vocabulary, special, texts)
    _write(folder / "tokenizer_config.json", {"tokenizer_class": "XLMRobertaTokenizer"})
    _write(folder / "config.json", {"model_type": "xlm-roberta"})
    AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
    torch.manual_seed(2)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    config = XLMRobertaConfig(
        vocab_size=vocabulary + 2, max_position_embeddings=130, type_vocab_size=1, pad_token_id=1, **sizes
    )
    XLMRobertaForMaskedLM(config).save_pretrained(folder)
    return folder


def mbert(folder):
    """``bert-base-multilingual-cased``: a masked language model with a cased WordPiece vocabulary."""
    folder.mkdir()
    tokenizer = BertWordPieceTokenizer(lowercase=False, strip_accents=False)
    tokenizer.train_from_iterator(TEXTS, vocab_size=400, show_progress=False)
    tokenizer.save_model(str(folder))
    _write(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": False})
    torch.manual_seed(3)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    config = BertConfig(vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=128, **sizes)
    BertForMaskedLM(config).save_pretrained(folder)
    return folder


LLAMA_LIKE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 512,
}
CAUSAL = {
    "llama": LLAMA_LIKE,
    "qwen2": {**LLAMA_LIKE, "tie_word_embeddings": True},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512},
    # A window shorter than a passage, and logits that are capped.
    "gemma3_text": {
        **LLAMA_LIKE,
        "head_dim": 8,
        "sliding_window": 8,
        "layer_types": ["sliding_attention", "full_attention"],
        "final_logit_softcapping": 2.0,
    },
    # Layers that keep a running state instead of keys and values.
    "qwen3_next": {
        **LLAMA_LIKE,
        "head_dim": 8,
        "layer_types": ["linear_attention", "full_attention"],
        **{f"linear_num_{what}_heads": 2 for what in ("key", "value")},
        **{f"linear_{what}_head_dim": 8 for what in ("key", "value")},
        "num_experts": 2,
        "num_experts_per_tok": 2,
    },
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
}


def causal(folder, kind="qwen2", texts=TEXTS):
    """``Qwen/Qwen2.5-0.5B`` and its like: a decoder with a byte-level tokenizer."""
    folder.mkdir()
    bytes_ = ByteLevelBPETokenizer()
    bytes_.train_from_iterator(
        texts, vocab_size=400, special_tokens=["<end>", "<start>"], show_progress=False
    )
    start = {"bos_token": "<start>"} if kind == "llama" else {}
    if start:
        bytes_._tokenizer.post_processor = TemplateProcessing("<start> $A", special_tokens=[("<start>", 1)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytes_._tokenizer, eos_token="<end>", **start)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(4)
    ids = {"eos_token_id": 0, "bos_token_id": 1 if start else 0, "pad_token_id": None}
    config = AutoConfig.for_model(kind, vocab_size=len(tokenizer) + 5, **ids, **CAUSAL[kind])
    model = AutoModelForCausalLM.from_config(config)
    for name, weight in model.named_parameters():
        if weight.dim() > 1 and "embed" not in name and "wte" not in name:
            weight.data.mul_(10)  # fresh layers add next to nothing to what a token is by itself
    model.save_pretrained(folder)
    return folder


def _sentencepiece(path, vocabulary, special, texts):
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_writer=file, vocab_size=vocabulary,
            hard_vocab_limit=False, minloglevel=2, **special,
        )  # fmt: skip


def _write(path, value):
    path.write_text(json.dumps(value))


def gguf(folder, target):
    """Write a `causal` checkpoint of kind qwen2 as one GGUF file, as llama.cpp does."""
    import gguf

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    config, writer = model.config, gguf.GGUFWriter(target, "qwen2")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_embedding_length(config.hidden_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    tokens = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    tokens += [f"[PAD{n}]" for n in range(len(tokens), config.vocab_size)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token.startswith(("<", "[PAD")) else 1 for token in tokens])
    merges = json.loads((folder / "tokenizer.json").read_text())["model"]["merges"]
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    for name, weight in model.state_dict().items():
        if name != "lm_head.weight":
            writer.add_tensor(_gguf_name(name), weight.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def _gguf_name(name):
    """Name a weight of Qwen2 as llama.cpp does."""
    parts = {
        "model.embed_tokens": "token_embd", "model.norm": "output_norm", "model.layers": "blk",
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output", "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }  # fmt: skip
    for theirs, ours in parts.items():
        name = name.replace(theirs, ours)
    return name
