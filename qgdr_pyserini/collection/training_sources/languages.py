"""Codes of languages: the sources' own, and those of training folders."""

from __future__ import annotations

# ISO 639-3, and the codes of macro-languages' members that stand for them, to ISO 639-1
# (https://iso639-3.sil.org/code_tables/639/data). What has no code of two letters keeps its three.
_TWO_LETTERS = {
    "afr": "af", "amh": "am", "ara": "ar", "arb": "ar", "aze": "az", "bak": "ba", "bel": "be", "ben": "bn",
    "bod": "bo", "bos": "bs", "bul": "bg", "cat": "ca", "ces": "cs", "cmn": "zh", "cym": "cy", "dan": "da",
    "deu": "de", "div": "dv", "dzo": "dz", "ell": "el", "eng": "en", "epo": "eo", "est": "et", "eus": "eu",
    "ewe": "ee", "fao": "fo", "fas": "fa", "fij": "fj", "fin": "fi", "fra": "fr", "gle": "ga", "glg": "gl",
    "guj": "gu", "hau": "ha", "heb": "he", "hin": "hi", "hrv": "hr", "hun": "hu", "hye": "hy", "ibo": "ig",
    "ind": "id", "isl": "is", "ita": "it", "jpn": "ja", "kan": "kn", "kat": "ka", "kaz": "kk", "khm": "km",
    "kin": "rw", "kir": "ky", "kmr": "ku", "kor": "ko", "lao": "lo", "lat": "la", "lav": "lv", "lit": "lt",
    "ltz": "lb", "mal": "ml", "mar": "mr", "mkd": "mk", "mlg": "mg", "mlt": "mt", "mon": "mn", "mri": "mi",
    "msa": "ms", "mya": "my", "nde": "nd", "nep": "ne", "nld": "nl", "nno": "nn", "nob": "no", "nor": "no",
    "nya": "ny", "orm": "om", "pan": "pa", "pes": "fa", "pol": "pl", "por": "pt", "pus": "ps", "ron": "ro",
    "rus": "ru", "sin": "si", "slk": "sk", "slv": "sl", "smo": "sm", "sna": "sn", "snd": "sd", "som": "so",
    "spa": "es", "sqi": "sq", "srp": "sr", "ssw": "ss", "swa": "sw", "swe": "sv", "tah": "ty", "tam": "ta",
    "tat": "tt", "tel": "te", "tgk": "tg", "tha": "th", "tir": "ti", "ton": "to", "tsn": "tn", "tuk": "tk",
    "tur": "tr", "twi": "tw", "uig": "ug", "ukr": "uk", "urd": "ur", "uzb": "uz", "ven": "ve", "vie": "vi",
    "wol": "wo", "xho": "xh", "yor": "yo", "zho": "zh", "zsm": "ms", "zul": "zu",
}  # fmt: skip


def short_code(code: str) -> str:
    """Give the code that training folders have for a language: ISO 639-1, or 639-3 where there is none.

    Region and script are left off.

    Examples
    --------
    >>> short_code("deu"), short_code("pt-BR"), short_code("srp-Cyrl"), short_code("bem"), short_code("zh_cn")
    ('de', 'pt', 'sr', 'bem', 'zh')
    """
    base = code.replace("_", "-").split("-")[0].lower()
    return _TWO_LETTERS.get(base, base)
