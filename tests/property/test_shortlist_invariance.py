"""With a vocabulary shortlist no neighbour changes a bit: not by its list, nor by its terms."""

from functools import partial

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mt.stepper import Stepper
from serving.onnx_stepper import open_stepper
from tests.golden.test_onnx_parity import MODELS
from tests.listing_stepper import random_shortlist
from tests.property.test_batch_invariance import PAIRS, assert_no_neighbour_changes_a_bit
from tests.tiny_bundle import VOCAB_SIZE, write_tiny_bundle
from tests.tiny_models import tiny_transformer

# The sums of its products are long enough to be cut, which is done by the size of a matrix.
WIDE = partial(tiny_transformer, vocab_size=VOCAB_SIZE, d_model=320, n_heads=4)
# The lists of one sentence fill one round of the softmax, or several: see `Shortlists`.
BEST = {"short": 4, "long": 40}


@pytest.fixture(scope="module", params=["transformer", "recurrent-lstm-deep", "wide"])
def steppers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Stepper]:
    opened: dict[tuple[str, str], Stepper] = {}
    for name, best in BEST.items():
        folder = tmp_path_factory.mktemp(name) / "bundle"
        model = WIDE() if request.param == "wide" else MODELS[request.param]()
        bundle = write_tiny_bundle(folder, model, PAIRS, random_shortlist(8, best))
        for precision in ("fp32", "int8"):
            opened[name, precision] = open_stepper(bundle, precision, shortlist=True)
    return opened


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("lists", BEST)
@settings(
    max_examples=2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],  # shrinking takes minutes
)
@given(data=st.data())
def test_no_neighbour_changes_a_bit(
    steppers: dict[tuple[str, str], Stepper], lists: str, precision: str, data: st.DataObject
) -> None:
    assert_no_neighbour_changes_a_bit(steppers[lists, precision], data)
