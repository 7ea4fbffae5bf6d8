"""DAGMan's reasons for nodes without a job."""

from pathlib import Path

import pytest

from submit.monitor.dagman_output import DagmanOutput
from tests.submit.monitor import dagman_text as text


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """The path of DAGMan's log."""
    return tmp_path / "study.dag.dagman.out"


@pytest.fixture
def reader(output: Path) -> DagmanOutput:
    """A reader of the log and of study.status beside it."""
    return DagmanOutput(output, output.with_name("study.status"))


def test_files_that_do_not_exist_have_no_problems(reader: DagmanOutput):
    assert reader.update() == {}


def test_a_refused_job_has_the_schedds_reason(output: Path, reader: DagmanOutput):
    output.write_text(text.refused("a", text.PROJECT, 6) + text.accepted("b"))
    (problem,) = reader.update().values()
    assert problem.reason == "HTCondor refused its job: You must set +ProjectName to submit jobs here"
    assert problem.final


def test_while_dagman_tries_again_the_problem_is_not_final(output: Path, reader: DagmanOutput):
    output.write_text(text.refused("a", text.PROJECT, 2))
    assert not reader.update()["a"].final
    assert "(try 2 of 6)" in reader.update()["a"].reason


def test_a_job_that_is_accepted_later_has_no_problem(output: Path, reader: DagmanOutput):
    output.write_text(text.refused("a", text.PROJECT, 2))
    assert reader.update()
    with output.open("a") as log:
        log.write(text.accepted("a"))
    assert reader.update() == {}


def test_a_message_of_several_lines_is_joined(output: Path, reader: DagmanOutput):
    output.write_text(text.parse_error("a"))
    reason = reader.update()["a"].reason
    assert "Parse error in expression: Requirements = ((HasFoo == true)" in reason
    assert "\n" not in reason


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_a_log_cut_anywhere_is_read_completely_later(output: Path, reader: DagmanOutput, cut: int):
    whole = text.parse_error("a") + text.refused("b", text.PROJECT, 1)
    output.write_text(whole[:cut])
    reader.update()
    output.write_text(whole)
    assert reader.update() == DagmanOutput(output, output.with_name("study.status")).update()


def test_the_node_status_file_explains_nodes_that_the_log_does_not(output: Path, reader: DagmanOutput):
    output.with_name("study.status").write_text(
        text.node_status("a", 6, "Job submit failed")
        + text.node_status("b", 5, "")
        + text.node_status("c", 6, "x")
    )
    assert {node: problem.reason for node, problem in reader.update().items()} == {
        "a": "DAGMan: Job submit failed"
    }


def test_bytes_that_are_no_text_do_no_harm(output: Path, reader: DagmanOutput):
    output.write_bytes(b"\x00\xff\n" * 9 + text.refused("a", text.PROJECT, 6).encode() + b"\xfe")
    output.with_name("study.status").write_bytes(b"\xff[ Node = ")
    assert reader.update()["a"].final


def test_the_exit_status_is_read(output: Path, reader: DagmanOutput):
    output.write_text(f"{text.HEAD}**** condor_dagman (condor_DAGMAN) pid 31530 EXITING WITH STATUS 2\n")
    reader.update()
    assert reader.exit_status == 2
