"""How many reports of lost mail are recognised: what was reached once is not lost again."""

import pytest

from scripts.load.bounces import score
from scripts.load.scores import CORPUS

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason=f"the mail corpus is not at {CORPUS}; set ATUM_MAIL_CORPUS")


def test_nineteen_of_twenty_are_recognised_and_no_ordinary_mail_is_taken_for_one() -> None:
    found = score(CORPUS)
    assert found["samples"] == 606
    assert found["recognised"] >= 578
    assert found["by_rfc_3464"] >= 337
    assert found["ordinary"] == 747
    assert found["wrongly"] == 0
