"""Links lead to one view until they are taken back; notes are kept with their study."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from pathlib import Path

import pytest

import lab
from lab.errors import LinkRevoked, UnknownId, UsageError
from lab.store import records
from lab.store.sharing import LONGEST_NOTE
from tests import fakes


@pytest.fixture
def study(lab_home: Path) -> str:
    made = fakes.study()
    records.add_study(made, lab.model(made.model), fakes.trials(study=made.id))
    return made.id


def test_a_link_leads_to_its_view(study: str) -> None:
    made = lab.create_link(study, {"goal": ["latency_s"], "on": ["ort", "litert"]})
    found = lab.link(made.token)
    assert (found.study, found.view) == (study, {"goal": ["latency_s"], "on": ["ort", "litert"]})
    assert lab.links(study) == [found]


def test_tokens_are_long_and_differ(study: str) -> None:
    tokens = {lab.create_link(study).token for _ in range(20)}
    assert len(tokens) == 20
    assert all(8 * len(urlsafe_b64decode(t + "=" * (-len(t) % 4))) >= 128 for t in tokens)


def test_a_link_that_was_taken_back_leads_nowhere(study: str) -> None:
    kept, gone = lab.create_link(study), lab.create_link(study)
    lab.revoke_link(gone.token)
    with pytest.raises(LinkRevoked):
        lab.link(gone.token)
    assert [x.token for x in lab.links(study)] == [kept.token]
    assert lab.link(kept.token).study == study


def test_what_is_not_there_is_said(study: str) -> None:
    with pytest.raises(UnknownId):
        lab.link("made-up")
    with pytest.raises(UnknownId):
        lab.revoke_link("made-up")
    with pytest.raises(UnknownId):
        lab.create_link("gone")
    with pytest.raises(UsageError):
        lab.create_link(study, {f"x{n}": [""] for n in range(1000)})


def test_notes_are_kept_changed_and_removed(study: str) -> None:
    trial = lab.trials(study)[3].id
    lab.set_note(study, " **Ship** this ")
    lab.set_note(study, "Too slow", trial)
    assert lab.notes(study) == {"": "**Ship** this", trial: "Too slow"}
    lab.set_note(study, "Fast enough", trial)
    lab.set_note(study, "")
    assert lab.notes(study) == {trial: "Fast enough"}


def test_a_note_has_a_study_a_trial_of_it_and_a_limit(study: str) -> None:
    other = fakes.study(id_="study-2")
    records.add_study(other, lab.model(other.model), fakes.trials(study="study-2"))
    with pytest.raises(UnknownId):
        lab.set_note("gone", "x")
    with pytest.raises(UsageError):
        lab.set_note(study, "x" * (LONGEST_NOTE + 1))
    with pytest.raises(UnknownId):
        lab.set_note("study-2", "x", lab.trials(study)[0].id)
