"""Language of a name: names of territories, languages and currencies from the Unicode CLDR.

On-device keyboards solve this task. A name counts only if exactly one of the languages has it.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import cache

from lab.datasets._split import stratified
from lab.lazy import np
from lab.plugs import Array, Dataset, Splits

LANGUAGES = {
    "bg": "Bulgarian", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek",
    "en": "English", "es": "Spanish", "fi": "Finnish", "fr": "French", "hu": "Hungarian",
    "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "nb": "Norwegian Bokmål",
    "nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "sv": "Swedish", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese",
}  # fmt: skip
"""CLDR code -> English name, in the order of the class indices."""

LENGTH = 32
"""Characters of one item; the few longer names are dropped instead of cut, so that no two become
equal.
"""

PADDING, UNKNOWN, FIRST_CHARACTER = 0, 1, 2
SEEN_TWICE = 2
"""Number of training names in which a character must occur to get an id; rarer ones train the model
on UNKNOWN.
"""


def load() -> Splits:
    """Collect, split and encode; x has shape (items, LENGTH), int32 character ids, PADDING at the
    end.
    """
    _, calibration, test = _encoded()
    return Splits(*calibration, *test)


def training() -> tuple[Array, Array]:
    """Return the training set in the same encoding."""
    return _encoded()[0]


def encode(text: str) -> Array:
    """Encode any text as character ids, shape (LENGTH,), int32; longer text is cut."""
    numbers = _numbers()
    ids = [numbers.get(character, UNKNOWN) for character in normalise(text)[:LENGTH]]
    return np.array(ids + [PADDING] * (LENGTH - len(ids)), dtype=np.int32)


def decode(ids: Array) -> str:
    """Invert `encode`; ids without a character become the replacement character."""
    table = ("", "\N{REPLACEMENT CHARACTER}", *characters())
    return "".join(table[int(i)] for i in ids)


@cache
def characters() -> tuple[str, ...]:
    """Return the characters that have an id, in the order of ids from FIRST_CHARACTER."""
    counts = Counter(character for name, _ in _split_names()[0] for character in set(name))
    return tuple(sorted(character for character, n in counts.items() if n >= SEEN_TWICE))


def normalise(text: str) -> str:
    """Normalize a name: composed, lower case, single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).lower().split())


@cache
def _numbers() -> dict[str, int]:
    return {character: number for number, character in enumerate(characters(), FIRST_CHARACTER)}


@cache
def _encoded() -> tuple[tuple[Array, Array], ...]:
    """Return items and labels of the training, calibration and test names; an item in several
    splits stays in the first.
    """
    seen: set[bytes] = set()
    return tuple(_encode_all(names, seen) for names in _split_names())


def _encode_all(names: list[tuple[str, int]], seen: set[bytes]) -> tuple[Array, Array]:
    """Encode names, without the rare ones that only differ from an earlier one in characters
    without an id.
    """
    items, labels = [], []
    for name, label in names:
        ids = encode(name)
        if ids.tobytes() not in seen:
            seen.add(ids.tobytes())
            items.append(ids)
            labels.append(label)
    return np.stack(items), np.array(labels, dtype=np.int64)


@cache
def _split_names() -> tuple[list[tuple[str, int]], ...]:
    """Return (name, class) of the training, calibration and test names; names with the same letters
    stay together.
    """
    names = _names()
    keys = [letters(name).encode() for name, _ in names]
    calibration, test, train = stratified(
        keys, (label for _, label in names), [0.03, 0.16], seed="languages"
    )
    return tuple([names[i] for i in group] for group in (train, calibration, test))


def _names() -> list[tuple[str, int]]:
    """Return every name that exactly one language has, with its class, sorted."""
    by_language = [_names_of(code) for code in LANGUAGES]
    languages_with = Counter(key for names in by_language for key in names)
    return sorted(
        (name, label)
        for label, names in enumerate(by_language)
        for key, name in names.items()
        if languages_with[key] == 1 and len(name) <= LENGTH
    )


def _names_of(code: str) -> dict[str, str]:
    """Return comparison key -> normalized name, for one language."""
    from babel import Locale

    locale = Locale.parse(code)
    raw = [*locale.territories.values(), *locale.languages.values(), *locale.currencies.values()]
    return {_key(name): name for name in sorted({normalise(name) for name in raw})}


def _key(name: str) -> str:
    """Return the comparison key of a name, without compatibility forms and case."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def letters(name: str) -> str:
    """Return the bare letters of a name: no case, accents, strokes, spaces, digits or punctuation.

    "Åland-øerne" and "ålandøerne" count as one name when splits are made, and so do a currency of
    1942 and its namesake of 1990. A name without letters stays unchanged.
    """
    plain = unicodedata.normalize("NFKD", _key(name))
    return "".join(_bare(character) for character in plain if character.isalpha()) or name


def _bare(character: str) -> str:
    """Remove strokes and hooks that Unicode does not decompose: ø is named LATIN SMALL LETTER O
    WITH STROKE.
    """
    if character == "\N{LATIN SMALL LETTER DOTLESS I}":
        return "i"
    base, separator, _ = unicodedata.name(character, "").partition(" WITH ")
    return unicodedata.lookup(base) if separator else character


DATASET = Dataset(
    id="languages",
    title="Names in 24 languages",
    task="classification",
    load=load,
    training=training,
    digest="c9a553ba03bb51f1903be46ef53ee706f4d83582fff06b13687a80ca381f0791",
    training_digest="2fc7de53afd4cce013ffb8bc4fb50ca02eb6c5a648c5beea58d336ee280245c0",
    class_names=tuple(LANGUAGES.values()),
    provenance=(
        "Names of territories, languages and currencies from the Unicode Common Locale Data"
        " Repository, as shipped with Babel 2.18. A name that two of the 24 languages share, case"
        " aside, belongs to neither and is left out. Names that differ only in case, accents,"
        " digits, spaces or punctuation are always in the same split."
    ),
    licence="Unicode-3.0",
    show="text",
    decode=decode,
    test_items=2_888,
    requires=("babel",),
    tags=("text",),
)
