"""The private pool's text, names and messages; no pool is started and nothing is fetched."""

import os
import subprocess
from pathlib import Path

import pytest

from submit.pool import apptainer, daemons
from submit.pool.__main__ import main
from submit.pool.config import condor_config
from submit.pool.identity import Identity, doors
from submit.pool.pool import Pool, PoolOptions, PoolUnavailable
from submit.pool.private import down, find, installed, up
from tests.submit.fake_program import fake_program, output_of

ALICE = Identity("alice", (1000, 100))
ROOT = Identity("daemon", (0, 0), ("unshare", "-U", "--"))


def rendered(folder: str = "/home/alice/check out/.pool", identity: Identity = ALICE, **options) -> list[str]:
    prefix = Path("/opt/condor")
    text = condor_config(Path(folder), prefix, prefix / "libexec/condor", identity, PoolOptions(**options))
    return text.splitlines()


def test_places_are_the_folders_and_nothing_of_the_machines_configuration_is_read():
    lines = rendered()
    assert "LOCAL_DIR = /home/alice/check out/.pool" in lines
    assert "RELEASE_DIR = /opt/condor" in lines
    assert {"LOCAL_CONFIG_FILE =", "LOCAL_CONFIG_DIR ="} <= set(lines)


def test_only_the_pools_user_may_write():
    lines = rendered()
    assert "ALLOW_WRITE = alice@*" in lines
    assert not [line for line in lines if line.startswith("ALLOW_") and "READ" not in line and "alice" not in line]
    assert "COLLECTOR_HOST = 127.0.0.1:0" in lines


def test_roots_tools_stay_root_in_a_namespace():
    """Any other id is unknown there, and the schedd would take the tool for nobody."""
    assert "CONDOR_IDS = 0.0" in rendered(identity=ROOT)
    assert "CONDOR_IDS = 1000.100" in rendered()


def test_the_machine_is_offered_unless_a_size_is_given():
    names = [line.split(" ")[0] for line in rendered()]
    assert not {"NUM_CPUS", "MEMORY", "GPU_DISCOVERY_EXTRA"} & set(names)
    lines = rendered(cpus=3, memory_mb=5000, gpus="4,2")
    sizes = {"NUM_CPUS = 3", "MEMORY = 5000", "use FEATURE: GPUs", "GPU_DISCOVERY_EXTRA = -extra -simulate:4,2"}
    assert sizes <= set(lines)


def test_extra_lines_come_last_so_they_win():
    lines = rendered(extra="NUM_CPUS = 9\nSTART = False\n", cpus=3)
    assert lines[-2:] == ["NUM_CPUS = 9", "START = False"]


@pytest.mark.parametrize("folder", ["/a/$HOME", '/a/"b"', "/a\nALLOW_WRITE = *"])
def test_a_path_that_would_change_the_configuration_is_refused(folder):
    with pytest.raises(ValueError, match="cannot be told of a path"):
        rendered(folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gpus": "two"}, 'gpus: \'two\' is not "KIND,COUNT"; write it as "4,2"'),
        ({"gpus": "4,0"}, "gpus: '4,0'"),
        ({"gpus": "4,2\nSTART = False"}, "gpus: "),
        ({"cpus": 0}, "cpus: 0 is not a positive number"),
        ({"memory_mb": -1}, "memory_mb: -1 is not"),
    ],
)
def test_options_no_pool_can_start_with_are_refused(options, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the text is compared below
        PoolOptions(**options)
    assert message in str(error.value)


def test_apptainer_lines_name_the_relocated_program():
    lines = apptainer.condor_config(Path("/opt/apptainer/usr")).splitlines()
    assert "SINGULARITY = /opt/apptainer/usr/bin/apptainer" in lines
    assert "SINGULARITY_EXTRA_ARGUMENTS = --unsquash" in lines


def test_the_pools_programs_come_before_the_callers():
    pool = Pool(Path("/p"), Path("/p/condor_config"), Path("/opt/condor"), "alice", owned=True)
    environment = pool.environment("/usr/bin")
    assert environment == {
        "CONDOR_CONFIG": "/p/condor_config",
        "PATH": "/opt/condor/bin:/opt/condor/sbin:/usr/bin",
    }


def test_run_looks_a_command_up_in_the_pools_programs(tmp_path):
    program = fake_program(tmp_path / "bin/condor_q", 'echo "$CONDOR_CONFIG $1 $MORE"; cat')
    pool = Pool(tmp_path, tmp_path / "condor_config", program.parent.parent, "alice", owned=True)
    done = pool.run(["condor_q", "a b"], environ={"MORE": "more", "PATH": os.environ["PATH"]}, stdin="in")
    assert done.stdout == f"{tmp_path}/condor_config a b more\nin"


def test_root_enters_through_doors_and_others_need_none(tmp_path):
    """A door becomes the user once: a tool that starts another through it is not turned back."""
    tool = fake_program(tmp_path / "pre fix/bin/condor_q", 'echo "asked $1 by ${BY:-itself}"')
    assert doors(ALICE, tool.parent.parent) == {}
    made = doors(Identity("daemon", (0, 0), ("env", "BY=a stand-in")), tool.parent.parent)
    assert list(made) == ["condor_q"]
    fake_program(tmp_path / "as/root/id", "echo 0")
    fake_program(tmp_path / "as/user/id", "echo 1")
    for user, by in (("root", "a stand-in"), ("user", "itself")):
        environ = {"PATH": f"{tmp_path}/as/{user}:{os.environ['PATH']}"}
        assert output_of("sh", "-c", made["condor_q"], "condor_q", "a b", env=environ) == f"asked a b by {by}\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_a_clear_reason(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PoolUnavailable, match="cannot write the pool's folder") as reason:
        up(tmp_path / "pool")
    assert "\n" not in str(reason.value)


def test_an_installed_htcondor_is_found_by_its_master(tmp_path):
    fake_program(tmp_path / "opt/sbin/condor_master", "true")
    (tmp_path / "linked").symlink_to(tmp_path / "opt/sbin")
    assert installed({"PATH": f"/usr/bin:{tmp_path}/linked"}) == tmp_path / "opt"


def test_leftovers_are_this_pools_jobs_and_never_a_shell(tmp_path):
    """A job is known by its scratch folder; CONDOR_CONFIG alone marks its users too."""
    config = tmp_path / "mine/condor_config"
    environs = {
        "job": {"_CONDOR_SCRATCH_DIR": f"{tmp_path}/mine/execute/dir_1"},
        "contained job": {"_CONDOR_SCRATCH_DIR_OUTSIDE_CONTAINER": f"{tmp_path}/mine/execute/dir_2"},
        "other pool's job": {"_CONDOR_SCRATCH_DIR": f"{tmp_path}/mine too/execute/dir_1"},
        "user's shell": {"CONDOR_CONFIG": str(config)},
    }
    started = {name: subprocess.Popen(["/bin/sleep", "60"], env=environ) for name, environ in environs.items()}
    try:
        assert set(daemons.leftovers(config)) == {started["job"].pid, started["contained job"].pid}
        daemons.stop(config)
        assert started["job"].wait(10) == started["contained job"].wait(10) == -9
        assert started["user's shell"].poll() is None
        assert started["other pool's job"].poll() is None
    finally:
        for process in started.values():
            process.kill()
            process.wait()


@pytest.mark.parametrize("content", ["", "not a number", pytest.param(str(os.getpid()), id="own"), "4194305"])
def test_a_pid_file_that_names_no_master_is_not_believed(tmp_path, content):
    (tmp_path / "master.pid").write_text(content)
    assert daemons.master(tmp_path / "condor_config") is None


def test_down_without_a_pool_is_no_error(tmp_path):
    down(tmp_path)
    down(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_no_pool_is_found_where_the_schedd_does_not_answer(tmp_path):
    fake_program(tmp_path / "bin/condor_q", "exit 1")
    environ = {"CONDOR_CONFIG": f"{tmp_path}/other", "PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
    assert find(tmp_path / "pool", environ) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="the host's pool runs no job for root")
def test_the_hosts_pool_is_found_and_is_not_ours(tmp_path):
    fake_program(tmp_path / "bin/condor_q", "exit 0")
    environ = {"CONDOR_CONFIG": f"{tmp_path}/other", "PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
    found = find(tmp_path / "pool", environ)
    assert found is not None
    assert (found.config, found.prefix, found.owned) == (tmp_path / "other", None, False)


def test_the_command_line_says_what_is_wrong(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("CONDOR_CONFIG", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = ["--folder", str(tmp_path / "pool")]
    assert main([*folder, "status"]) == 3
    assert "no pool is up" in capsys.readouterr().err
    assert main(["down", *folder]) == 0
    assert main([*folder, "up", "--private"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("no pool: ")
    with pytest.raises(SystemExit) as stopped:
        main([*folder, "up", "--gpus", "two"])
    assert stopped.value.code == 2
    assert 'write it as "4,2"' in capsys.readouterr().err
