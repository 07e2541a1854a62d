"""What people call a language, in English (ISO 639-1; regions and scripts as CLDR names them)."""

_NAMES = """
af Afrikaans, am Amharic, ar Arabic, az Azerbaijani, be Belarusian, bg Bulgarian, bn Bengali,
bs Bosnian, ca Catalan, cs Czech, cy Welsh, da Danish, de German, el Greek, en English,
eo Esperanto, es Spanish, et Estonian, eu Basque, fa Persian, fi Finnish, fil Filipino,
fr French, ga Irish, gd Scottish Gaelic, gl Galician, gu Gujarati, ha Hausa, he Hebrew, hi Hindi,
hr Croatian, hu Hungarian, hy Armenian, id Indonesian, ig Igbo, is Icelandic, it Italian,
ja Japanese, ka Georgian, kk Kazakh, km Khmer, kn Kannada, ko Korean, ku Kurdish, ky Kyrgyz,
la Latin, lb Luxembourgish, lo Lao, lt Lithuanian, lv Latvian, mg Malagasy, mk Macedonian,
ml Malayalam, mn Mongolian, mr Marathi, ms Malay, mt Maltese, my Burmese, nb Norwegian Bokmål,
ne Nepali, nl Dutch, nn Norwegian Nynorsk, no Norwegian, oc Occitan, or Odia, pa Punjabi,
pl Polish, ps Pashto, pt Portuguese, ro Romanian, ru Russian, rw Kinyarwanda, sd Sindhi,
si Sinhala, sk Slovak, sl Slovenian, so Somali, sq Albanian, sr Serbian, sv Swedish, sw Swahili,
ta Tamil, te Telugu, tg Tajik, th Thai, tk Turkmen, tl Tagalog, tr Turkish, tt Tatar, ug Uyghur,
uk Ukrainian, ur Urdu, uz Uzbek, vi Vietnamese, xh Xhosa, yi Yiddish, yo Yoruba, zh Chinese,
zu Zulu
"""
_VARIANTS = {
    "br": "Brazilian",
    "cn": "simplified",
    "gb": "British",
    "hans": "simplified",
    "hant": "traditional",
    "pt": "European",
    "tw": "traditional",
    "us": "American",
}
_BY_CODE = dict(entry.strip().split(" ", 1) for entry in _NAMES.split(","))


def of(code: str) -> str:
    """`Portuguese (Brazilian)` of `pt-BR`; the code itself where it is not known."""
    base, *variants = code.lower().split("-")
    name = _BY_CODE.get(base, code)
    known = [_VARIANTS[variant] for variant in variants if variant in _VARIANTS]
    return f"{name} ({known[0]})" if known and base in _BY_CODE else name
