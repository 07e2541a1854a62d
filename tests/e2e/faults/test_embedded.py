"""The embedded server keeps its promises: the short forms. Speed is measured by the long ones."""

from tests.e2e.faults.disconnects import disconnects
from tests.e2e.faults.draining import draining
from tests.e2e.faults.model_kills import model_kills
from tests.e2e.faults.overload import overload
from tests.e2e.faults.served import FILES
from tests.e2e.faults.slow_loris import slow_loris
from tests.e2e.faults.soak import CLIENTS, soak

LATEST_S = 200.0  # for what takes a second, on a machine that is busy
GROWTH_MIB = 48.0  # caches and threads of the first seconds; a leak of requests would be more


def test_more_than_it_can_is_answered_or_refused_politely() -> None:
    """Four times, since a machine may be busy while the capacity is measured and idle later."""
    found = overload(measure_s=3.0, seconds=6.0, deadline_s=LATEST_S, factor=4.0)
    tally = found.tally
    assert tally.statuses.keys() == {200, 429}
    assert tally.wrong == tally.rude == 0
    assert found.after.memory_mib - found.before.memory_mib < GROWTH_MIB


def test_clients_that_leave_leave_nothing() -> None:
    found = disconnects(clients=100)
    assert found.left >= 90
    assert (found.afterwards.status, found.afterwards.right) == (200, True)
    assert found.after.files <= found.before.files + FILES
    assert found.after.memory_mib - found.before.memory_mib < GROWTH_MIB


def test_sigterm_under_load_loses_nothing() -> None:
    found = draining(1, limits={"deadline_s": LATEST_S}, drain_timeout_s=LATEST_S)
    assert found.exit_code == 0  # nothing was given up, so it was within drain_timeout_s
    assert found.cut_off == []
    assert found.tally.statuses.keys() <= {0, 200, 503}
    assert found.tally.wrong == found.tally.rude == 0
    assert len(found.tally.refused) > 0


def test_a_killed_process_of_a_model_loses_nothing() -> None:
    found = model_kills(times=2, every_s=4.0, deadline_s=LATEST_S)
    assert found.tally.statuses.keys() == {200}
    assert found.tally.wrong == 0


def test_slow_sockets_are_closed_and_hurt_nobody() -> None:
    limits = {"head_timeout_s": 3.0, "body_timeout_s": 3.0, "deadline_s": LATEST_S}
    found = slow_loris(sockets=200, patience_s=LATEST_S, load_s=7.5, **limits)
    assert len(found.closed_after) == 200
    assert min(found.closed_after) > 1.0  # not refused at the door
    assert max(found.closed_after) < LATEST_S
    assert found.beside.statuses.keys() == {200}
    assert found.beside.wrong == 0
    assert found.after.files <= found.before.files + FILES


def test_mixed_requests_for_a_while() -> None:
    found = soak(seconds=15.0, limits={"deadline_s": LATEST_S})
    assert found.tally.statuses.keys() <= {0, 200}
    assert found.tally.wrong == 0
    assert {one.by for one in found.tally.asked if one.status == 0} <= {"left"}
    assert found.most("files", last=True) <= found.most("files", last=False) + CLIENTS
    assert found.most("threads", last=True) <= found.most("threads", last=False) + 4
    grown = found.samples[-1].resources.memory_mib - found.samples[0].resources.memory_mib
    assert grown < GROWTH_MIB
