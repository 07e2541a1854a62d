"""Two replicas on Ray Serve keep their promises: the short forms, one fault after the other."""

from collections.abc import Iterator

import pytest

from tests.e2e.faults.ray_faults import bad_update, drain, kills, updates
from tests.e2e.faults.ray_served import CONTROLLER, PROXY, REPLICA, RayServed, ray_served

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def served() -> Iterator[RayServed]:
    with ray_served() as running:
        yield running


def test_a_killed_replica_loses_nothing_of_clients_that_ask_again(served: RayServed) -> None:
    fault = kills(served, REPLICA)
    assert fault.failed == 0
    assert fault.tally.wrong == 0


def test_nobody_notices_a_killed_controller(served: RayServed) -> None:
    fault = kills(served, CONTROLLER, retrying=False)
    assert fault.failed == 0
    assert fault.tally.wrong == 0


def test_an_update_rolls_from_the_old_model_to_the_new_one(served: RayServed) -> None:
    fault = updates(served)
    assert fault.told == [{"failure": "", "status": "RUNNING", "message": " "}]
    assert fault.failed == 0
    assert fault.tally.wrong == 0
    assert fault.models == {"good", "new"}


def test_a_damaged_bundle_is_not_served_and_says_why(served: RayServed) -> None:
    fault = bad_update(served, then="new")
    failed, restored = fault.told
    assert failed["status"] == "DEPLOY_FAILED"
    assert "step.onnx was changed (sha256 differs); export it again" in failed["message"]
    assert restored["status"] == "RUNNING"
    assert fault.failed == 0
    assert fault.tally.wrong == 0
    assert fault.models == {"new"}


def test_a_killed_proxy_is_back_before_clients_give_up(served: RayServed) -> None:
    fault = kills(served, PROXY)
    assert fault.failed == 0
    assert fault.tally.wrong == 0
    assert fault.back_after_s[0] < 45.0  # six seconds on an idle machine; Ray's own: thirty at best


def test_it_finishes_what_it_accepted_and_refuses_what_is_new(served: RayServed) -> None:
    """The last one: it stops the server."""
    fault = drain(served)
    assert fault.exit_code == 0
    assert fault.tally.wrong == 0
    assert fault.tally.statuses.keys() <= {0, 200, 503}
    assert fault.tally.refused
    assert fault.tally.rude == 0
    gone = [one for one in fault.tally.asked if one.status == 0]
    assert min(one.began for one in gone) > max(one.began for one in fault.tally.answered)
