"""The reader of queries that the dashboard's test trusts."""

import pytest

from tests.promql import read_by


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sum(mt_ready)", {"mt_ready": set()}),
        ('rate(a_total{x="1", y=~"2..|3"}[5m]) > 0.05', {"a_total": {"x", "y"}}),
        ('sum by (x) (rate(a{y="{"}[1m]))', {"a": {"y", "x"}}),
        ("a / on (x) b", {"a": {"x"}, "b": {"x"}}),
        ("deriv(a[6h]) * 86400 > 1e9", {"a": set()}),
        ("a offset 6h and b", {"a": set(), "b": set()}),
        ("histogram_quantile(0.9, sum by (le, m) (rate(s_bucket[5m])))", {"s_bucket": {"le", "m"}}),
    ],
)
def test_metrics_and_labels_are_found(query: str, expected: dict[str, set[str]]) -> None:
    assert read_by(query) == expected
