"""Words, accents and voices of the splits of `keywords`, with no voice in two splits."""

from __future__ import annotations

from dataclasses import dataclass

COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
"""The ten command words of Speech Commands (P. Warden, arXiv:1804.03209) and MLPerf Tiny."""

ENGLISH = ("en", "en-us", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd")
"""Language of English voices; not "en-gb", whose voice in espeak-ng 1.51 is the same for every
variant.
"""

FOREIGN = {
    "de": "jess nou app daun left right on off stopp gou",
    "es": "yes nou ap daun left rait on of stop gou",
    "it": "ies nou ap daun left rait on off stop gou",
    "pl": "jes noł ap dałn left rajt on of stop goł",
    "sv": "jess nou app daun left rajt onn off stopp gou",
}
"""Language -> commands, in the order of COMMANDS, spelled so that a reader of that language
pronounces them right.
"""


@dataclass(frozen=True)
class Cast:
    """Speakers of one split.

    Attributes:
        variants: espeak-ng's voice variants; no two splits share one.
        accents: languages whose sounds are spoken, each equally often.
        others: words that are not commands.
    """

    variants: tuple[str, ...]
    accents: tuple[str, ...]
    others: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_OTHERS = _words(
    "bed bird cat dog eight five four happy house marvin nine one seven six three tree two wow zero"
    " backward forward follow learn visual apple window garden water morning paper music doctor"
    " yellow summer low lift own night step dawn guess cup bread letter animal market winter silver"
    " finger mountain dollar engine purple bring glass round strong young think about never perhaps"
    " always under between"
)

TRAINING = Cast(
    variants=_words(
        "m1 m2 m5 m8 f1 f2 Alex Alicia Andrea Andy Diogo Gene Hugo Jacky Lee Michael Mike Nguyen"
        " adam aunty belinda benjamin boris croak david ed grandpa gustave iven john klatt klatt3"
        " linda marcelo max michel miguel norbert pablo paul quincy rob sandro shelby steph travis"
        " victor zac"
    ),
    accents=(*ENGLISH, *FOREIGN),
    others=_OTHERS,
)

CALIBRATION = Cast(
    variants=_words("Gene2 edward edward2 iven3 kaukovalta klatt4 pedro steph2"),
    accents=(*ENGLISH, *FOREIGN),
    others=_OTHERS,
)

TEST = Cast(
    variants=_words(
        "m3 m4 m6 m7 f3 f4 f5 Annie Denis Henrique Marco Mario anika antonio grandma robert"
    ),
    accents=(*ENGLISH, "en-029", "en-us-nyc", *FOREIGN),
    others=_words(
        "sheila table river orange monday school green hello gold town light number coffee people"
        " rice bottle"
    ),
)


def spelling(word: str, accent: str) -> str:
    """Return the spelling of a word for a voice of that language; words that are not commands stay
    unchanged.
    """
    if accent in FOREIGN and word in COMMANDS:
        return FOREIGN[accent].split()[COMMANDS.index(word)]
    return word
