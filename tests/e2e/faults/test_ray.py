"""Two replicas on Ray Serve keep their promises: the short forms, one fault after the other."""

import os
import signal
import time
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.faults.ray_faults import bad_update, drain, kills, updates
from tests.e2e.faults.ray_served import (
    BOARD,
    CONTROLLER,
    PATIENCE_S,
    PROXY,
    REPLICA,
    RayServed,
    ray_served,
)

pytestmark = pytest.mark.ray
LATEST_S = 200.0  # for answers on a machine that is busy


@pytest.fixture(scope="module")
def served() -> Iterator[RayServed]:
    with ray_served(limits={"deadline_s": LATEST_S}, drain_timeout_s=LATEST_S) as running:
        yield running


def test_a_killed_replica_loses_nothing_of_clients_that_ask_again(served: RayServed) -> None:
    fault = kills(served, REPLICA)
    assert fault.failed == 0
    assert fault.tally.wrong == 0


def test_a_metrics_board_is_made_again_when_its_owner_dies(served: RayServed) -> None:
    """The replica that made it owns it; which one that is Ray does not say."""
    before = ready_replicas(served)
    (board,) = served.pids(BOARD)
    for replica in served.pids(REPLICA):
        if served.pids(BOARD) == [board]:
            os.kill(replica, signal.SIGKILL)
            served.wait_for(REPLICA, 2, besides=replica)
    deadline = time.monotonic() + PATIENCE_S
    while len(found := ready_replicas(served)) < 2 or found == before:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    (new,) = served.pids(BOARD)
    assert new != board


def ready_replicas(served: RayServed) -> set[str]:
    """Those that the metrics of one of them tell of."""
    try:
        text = httpx.get(f"{served.url}/metrics", timeout=PATIENCE_S).raise_for_status().text
    except httpx.HTTPError:
        return set()  # it met the one that is gone
    (family,) = (one for one in text_string_to_metric_families(text) if one.name == "mt_ready")
    return {one.labels.get("replica", "") for one in family.samples if one.value == 1}


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
    told = served.environment(served.pids(CONTROLLER)[0])
    assert told["RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S"] == "1"  # Ray's own 10 take half a minute


def test_it_finishes_what_it_accepted_and_refuses_what_is_new(served: RayServed) -> None:
    """The last one: it stops the server."""
    fault = drain(served)
    assert fault.exit_code == 0
    assert fault.tally.wrong == 0
    assert fault.tally.statuses.keys() <= {0, 200, 503}
    assert fault.tally.refused
    assert fault.tally.rude == 0
    assert fault.cut_off == 0
