"""The tables of the SpikeGrad paper as data: what the stored text has, and a reason for what it lost."""

import pytest

from decolle_ref.experiments import published

TABLES = {"MNIST": published.SPIKEGRAD_TABLE_1, "CIFAR-10": published.SPIKEGRAD_TABLE_2}


@pytest.mark.parametrize("rows", TABLES.values(), ids=TABLES)
def test_every_number_of_the_spikegrad_tables_is_known_or_has_a_reason(rows):
    for row in rows:
        numbers = row.best, row.mean, row.spread, row.runs
        assert (None in numbers) == bool(row.unknown)
        assert all(number is None or 0 < number <= 100 for number in numbers[:3])
        assert row.architecture and row.method and row.source.startswith("T19")


@pytest.mark.parametrize("rows", TABLES.values(), ids=TABLES)
def test_the_paper_compares_two_gradients_on_one_topology_over_20_runs(rows):
    """[T19 Sec. 4]: "means, errors and maximal values are calculated over 20 simulation runs"."""
    own = [row for row in rows if row.architecture == "This work"]
    assert [row.method for row in own] == ["direct float gradient", "direct spike gradient"]
    assert {(row.same_topology, row.runs) for row in own} == {(True, 20)}
    assert (
        sum(row.same_topology for row in rows)
        == {"MNIST": 4, "CIFAR-10": 3}[next(name for name, table in TABLES.items() if table is rows)]
    )


def test_the_page_of_results_shows_every_row_of_both_tables(request):
    page = (request.config.rootpath / "docs/results.md").read_text(encoding="utf-8")
    for name, rows in TABLES.items():
        for row in rows:
            same = "yes" if row.same_topology else "no"
            assert f"| {name} | {row.architecture} | {row.method} | {same} | {row.runs or 'unknown'} |" in page
