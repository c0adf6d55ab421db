"""Who says what in `keywords`: words, accents and voices, each apart where the splits must be
apart.
"""

from __future__ import annotations

from dataclasses import dataclass

COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
"""The ten command words of Speech Commands (P. Warden, arXiv:1804.03209) and MLPerf Tiny."""

ENGLISH = ("en", "en-us", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd")
"""Not "en-gb": in espeak-ng 1.51 it speaks with the same voice whatever variant is asked for."""

FOREIGN = {
    "de": "jess nou app daun left right on off stopp gou",
    "es": "yes nou ap daun left rait on of stop gou",
    "it": "ies nou ap daun left rait on off stop gou",
    "pl": "jes noł ap dałn left rajt on of stop goł",
    "sv": "jess nou app daun left rajt onn off stopp gou",
}
"""The commands as a reader of that language would have to see them to say them right, in the order
of COMMANDS.
"""


@dataclass(frozen=True)
class Cast:
    """Who speaks in one split.

    Attributes:
        variants: espeak-ng's voice variants; no two splits share one.
        accents: the language whose sounds are spoken, each equally often.
        others: words that are no command.
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
    """How a word is written for a voice of that language; words that are no command are read as
    they stand.
    """
    if accent in FOREIGN and word in COMMANDS:
        return FOREIGN[accent].split()[COMMANDS.index(word)]
    return word
