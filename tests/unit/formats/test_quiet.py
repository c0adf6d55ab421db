from __future__ import annotations

import logging
import sys
import warnings

import pytest

from lab.formats.quiet import quiet


def test_nothing_gets_out_and_everything_is_restored(capsys: pytest.CaptureFixture[str]) -> None:
    level = logging.getLogger().level
    with quiet():
        print("out")
        print("err", file=sys.stderr)
        warnings.warn("advice", stacklevel=1)
    assert capsys.readouterr() == ("", "")
    assert logging.getLogger().level == level


def test_errors_still_pass() -> None:
    with pytest.raises(ValueError, match="real"), quiet():
        raise ValueError("real")
