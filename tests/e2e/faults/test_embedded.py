"""The embedded server keeps its promises: the short forms. Speed is measured by the long ones."""

from tests.e2e.faults.disconnects import disconnects
from tests.e2e.faults.draining import draining
from tests.e2e.faults.overload import overload
from tests.e2e.faults.slow_loris import slow_loris
from tests.e2e.faults.soak import soak

GROWTH_MIB = 48.0  # caches and threads of the first seconds; a leak of requests would be more


def test_twice_the_load_is_answered_or_refused_politely() -> None:
    found = overload(measure_s=3.0, seconds=6.0, deadline_s=60.0)
    tally = found.tally
    assert tally.statuses.keys() == {200, 429}
    assert tally.wrong == tally.rude == 0
    assert found.after.memory_mib - found.before.memory_mib < GROWTH_MIB


def test_clients_that_leave_leave_nothing() -> None:
    found = disconnects(clients=100)
    assert found.left >= 90
    assert (found.afterwards.status, found.afterwards.right) == (200, True)
    assert found.after.files <= found.before.files + 4
    assert found.after.memory_mib - found.before.memory_mib < GROWTH_MIB


def test_sigterm_under_load_loses_nothing() -> None:
    found = draining(seed=1)
    assert found.exit_code == 0  # nothing was given up
    assert found.cut_off == []
    assert found.tally.statuses.keys() <= {0, 200, 503}
    assert found.tally.wrong == found.tally.rude == 0
    assert len(found.tally.refused) > 0
    assert found.took_s < 35.0


def test_slow_sockets_are_closed_and_hurt_nobody() -> None:
    found = slow_loris(sockets=200, patience_s=15.0, head_timeout_s=3.0, body_timeout_s=3.0)
    assert len(found.closed_after) == 200
    assert max(found.closed_after) < 15.0
    assert found.beside.statuses.keys() == {200}
    assert found.beside.wrong == 0
    assert found.after.files <= found.before.files + 4


def test_mixed_requests_for_a_while() -> None:
    found = soak(seconds=15.0)
    assert found.tally.statuses.keys() <= {0, 200}
    assert found.tally.wrong == 0
    assert {one.by for one in found.tally.asked if one.status == 0} <= {"left"}
    assert found.most("files", last=True) <= found.most("files", last=False) + 4
    assert found.most("threads", last=True) <= found.most("threads", last=False) + 4
    grown = found.samples[-1].resources.memory_mib - found.samples[0].resources.memory_mib
    assert grown < GROWTH_MIB
