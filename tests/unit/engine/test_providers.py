from __future__ import annotations

import pytest

from lab.engine.providers import providers
from lab.errors import UnknownId
from lab.registry import runtimes


@pytest.mark.slow
@pytest.mark.parametrize("runtime", [r.id for r in runtimes().values() if r.providers])
def test_a_process_of_its_own_tells_what_the_library_tells(runtime: str) -> None:
    ask = runtimes()[runtime].providers
    assert ask
    assert providers(runtime) == ask()


def test_a_runtime_without_a_choice_has_none_and_an_unknown_one_is_said() -> None:
    assert providers("torchscript") == ()
    with pytest.raises(UnknownId):
        providers("nowhere")
