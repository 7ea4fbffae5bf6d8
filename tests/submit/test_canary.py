"""The canary: the cheapest pair without a result, in a DAG of one node."""

from submit import canary
from submit.condor import dag
from tests import tiny
from tests.submit.plans import estimated_requests, plan, site


def test_the_cheapest_pair_without_a_result_is_chosen() -> None:
    """The pair of a longer attack is not."""
    first = plan()
    (cheap,) = first
    costly = cheap.model_copy(update={"seed": 7})
    planned = first.planned[0]
    both = first.model_copy(
        update={"planned": (planned.model_copy(update={"pair": costly}), planned)},
    )
    requested = {cheap.id: estimated_requests(cheap), costly.id: estimated_requests(costly, 400_000_000)}
    assert canary.choose_pair(both, requested, ()) == cheap.id
    assert canary.choose_pair(both, requested, {cheap.id}) == costly.id
    assert canary.choose_pair(both, requested, {cheap.id, costly.id}) is None


def test_the_dag_of_a_canary_has_one_node_and_no_analysis() -> None:
    """The analysis would report all other pairs as missing, and fail the DAG."""
    (pair,) = plan()
    requested = {pair.id: estimated_requests(pair)}
    lines = list(dag.dag_lines(plan(), site(), requested, (), pair.id))
    assert [line.split()[:2] for line in lines if line.startswith(("JOB ", "FINAL"))] == [["JOB", pair.id]]
    other = list(dag.dag_lines(plan(), site(), requested, (), "other"))
    assert not [line for line in other if pair.id in line]


def test_the_measurements_are_described_next_to_the_requests() -> None:
    pair = tiny.pair()
    record = tiny.record(pair)
    text = canary.describe_measurements(record, estimated_requests(pair))
    assert text.startswith(f"ran on {record.provenance.device} in ")
    assert "estimated" in text
