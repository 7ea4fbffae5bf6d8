"""Configuration, paths and messages of a private pool, without a pool and without downloads."""

import os
import subprocess
from pathlib import Path

import pytest

from submit.pool import apptainer, daemons
from submit.pool.__main__ import main
from submit.pool.config import condor_config
from submit.pool.pool import Pool, PoolOptions, PoolUnavailableError
from submit.pool.private import down, find, find_installed, up
from submit.pool.user import PoolUser, tool_wrappers
from tests.submit.fake_program import fake_program, output_of

ALICE = PoolUser("alice", (1000, 100))
ROOT = PoolUser("daemon", (0, 0), ("unshare", "-U", "--"))


def rendered(folder: str = "/home/alice/check out/.pool", user: PoolUser = ALICE, **options) -> list[str]:
    prefix = Path("/opt/condor")
    text = condor_config(Path(folder), prefix, prefix / "libexec/condor", user, PoolOptions(**options))
    return text.splitlines()


def test_the_machines_own_configuration_is_not_read():
    lines = rendered()
    assert "LOCAL_DIR = /home/alice/check out/.pool" in lines
    assert "RELEASE_DIR = /opt/condor" in lines
    assert {"LOCAL_CONFIG_FILE =", "LOCAL_CONFIG_DIR ="} <= set(lines)


def test_only_the_pools_user_can_write():
    lines = rendered()
    assert "ALLOW_WRITE = alice@*/127.0.0.1" in lines
    assert "ALLOW_READ = 127.0.0.1" in lines
    assert not [line for line in lines if line.startswith("ALLOW_") and "READ" not in line and "alice" not in line]
    assert "COLLECTOR_HOST = 127.0.0.1:0" in lines


def test_roots_tools_stay_root_in_a_namespace():
    """Any other id is unmapped there, and the schedd would see the tool's user as nobody."""
    assert "CONDOR_IDS = 0.0" in rendered(user=ROOT)
    assert "CONDOR_IDS = 1000.100" in rendered()


def test_the_size_is_the_machines_unless_given():
    names = [line.split(" ")[0] for line in rendered()]
    assert not {"NUM_CPUS", "MEMORY", "GPU_DISCOVERY_EXTRA"} & set(names)
    lines = rendered(cpus=3, memory_mb=5000, gpus="4,2")
    sizes = {"NUM_CPUS = 3", "MEMORY = 5000", "use FEATURE: GPUs", "GPU_DISCOVERY_EXTRA = -extra -simulate:4,2"}
    assert sizes <= set(lines)


def test_extra_lines_override_others():
    lines = rendered(extra="NUM_CPUS = 9\nSTART = False\n", cpus=3)
    assert lines[-2:] == ["NUM_CPUS = 9", "START = False"]


@pytest.mark.parametrize("folder", ["/a/$HOME", '/a/"b"', "/a\nALLOW_WRITE = *"])
def test_a_path_that_would_change_the_configuration_is_refused(folder):
    with pytest.raises(ValueError, match="HTCondor cannot read"):
        rendered(folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gpus": "two"}, 'gpus: \'two\' must be "KIND,COUNT", such as "4,2"'),
        ({"gpus": "4,0"}, "gpus: '4,0'"),
        ({"gpus": "4,2\nSTART = False"}, "gpus: "),
        ({"cpus": 0}, "cpus: 0 must be a positive number"),
        ({"memory_mb": -1}, "memory_mb: -1 must be"),
    ],
)
def test_invalid_options_are_refused(options, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is compared below
        PoolOptions(**options)
    assert message in str(error.value)


def test_apptainers_lines_contain_the_relocated_program():
    lines = apptainer.condor_config(Path("/opt/apptainer/usr")).splitlines()
    assert "SINGULARITY = /opt/apptainer/usr/bin/apptainer" in lines
    assert "SINGULARITY_EXTRA_ARGUMENTS = --unsquash" in lines


def test_the_pools_programs_precede_the_callers():
    pool = Pool(Path("/p"), Path("/p/condor_config"), Path("/opt/condor"), "alice", owned=True)
    environment = pool.environment("/usr/bin")
    assert environment == {
        "CONDOR_CONFIG": "/p/condor_config",
        "PATH": "/opt/condor/bin:/opt/condor/sbin:/usr/bin",
    }


def test_run_finds_a_command_in_the_pools_programs(tmp_path):
    program = fake_program(tmp_path / "bin/condor_q", 'echo "$CONDOR_CONFIG $1 $MORE"; cat')
    pool = Pool(tmp_path, tmp_path / "condor_config", program.parent.parent, "alice", owned=True)
    done = pool.run(["condor_q", "a b"], environ={"MORE": "more", "PATH": os.environ["PATH"]}, stdin="in")
    assert done.stdout == f"{tmp_path}/condor_config a b more\nin"


def test_root_gets_tool_wrappers_and_others_none(tmp_path):
    """A wrapper changes the user once. A tool may start another tool through its wrapper."""
    tool = fake_program(tmp_path / "pre fix/bin/condor_q", 'echo "asked $1 by ${BY:-itself}"')
    assert tool_wrappers(ALICE, tool.parent.parent) == {}
    made = tool_wrappers(PoolUser("daemon", (0, 0), ("env", "BY=another user")), tool.parent.parent)
    assert list(made) == ["condor_q"]
    fake_program(tmp_path / "as/root/id", "echo 0")
    fake_program(tmp_path / "as/user/id", "echo 1")
    for user, by in (("root", "another user"), ("user", "itself")):
        environ = {"PATH": f"{tmp_path}/as/{user}:{os.environ['PATH']}"}
        assert output_of("sh", "-c", made["condor_q"], "condor_q", "a b", env=environ) == f"asked a b by {by}\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_a_folder_that_cannot_be_written_is_reported(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PoolUnavailableError, match="cannot write the pool's folder") as reason:
        up(tmp_path / "pool")
    assert "\n" not in str(reason.value)


def test_an_installed_htcondor_is_found_by_its_master(tmp_path):
    fake_program(tmp_path / "opt/sbin/condor_master", "true")
    (tmp_path / "linked").symlink_to(tmp_path / "opt/sbin")
    assert find_installed({"PATH": f"/usr/bin:{tmp_path}/linked"}) == tmp_path / "opt"


def test_leftovers_are_this_pools_jobs_but_no_shell(tmp_path):
    """A job is recognised by its scratch folder, because a user's shell may also have CONDOR_CONFIG."""
    config = tmp_path / "mine/condor_config"
    environs = {
        "job": {"_CONDOR_SCRATCH_DIR": f"{tmp_path}/mine/execute/dir_1"},
        "contained job": {"_CONDOR_SCRATCH_DIR_OUTSIDE_CONTAINER": f"{tmp_path}/mine/execute/dir_2"},
        "other pool's job": {"_CONDOR_SCRATCH_DIR": f"{tmp_path}/mine too/execute/dir_1"},
        "user's shell": {"CONDOR_CONFIG": str(config)},
    }
    started = {name: subprocess.Popen(["/bin/sleep", "60"], env=environ) for name, environ in environs.items()}
    try:
        assert set(daemons.find_leftovers(config)) == {started["job"].pid, started["contained job"].pid}
        daemons.stop(config)
        assert started["job"].wait(10) == started["contained job"].wait(10) == -9
        assert started["user's shell"].poll() is None
        assert started["other pool's job"].poll() is None
    finally:
        for process in started.values():
            process.kill()
            process.wait()


@pytest.mark.parametrize("content", ["", "not a number", pytest.param(str(os.getpid()), id="own"), "4194305"])
def test_a_pid_file_without_a_master_is_ignored(tmp_path, content):
    (tmp_path / "master.pid").write_text(content)
    assert daemons.find_master(tmp_path / "condor_config") is None


def test_down_without_a_pool_succeeds(tmp_path):
    down(tmp_path)
    down(tmp_path / "missing")
    assert not (tmp_path / "missing").exists()


def test_a_pool_whose_schedd_does_not_answer_is_not_found(tmp_path):
    fake_program(tmp_path / "bin/condor_q", "exit 1")
    environ = {"CONDOR_CONFIG": f"{tmp_path}/other", "PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
    assert find(tmp_path / "pool", environ) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="the host's pool runs no job for root")
def test_the_hosts_pool_is_found_but_not_owned(tmp_path):
    fake_program(tmp_path / "bin/condor_q", "exit 0")
    environ = {"CONDOR_CONFIG": f"{tmp_path}/other", "PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
    found = find(tmp_path / "pool", environ)
    assert found is not None
    assert (found.config, found.prefix, found.owned) == (tmp_path / "other", None, False)


def test_the_command_reports_errors(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("CONDOR_CONFIG", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = ["--folder", str(tmp_path / "pool")]
    assert main([*folder, "status"]) == 3
    assert "no pool is running" in capsys.readouterr().err
    assert main(["down", *folder]) == 0
    assert main([*folder, "up", "--private"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("no pool available: ")
    with pytest.raises(SystemExit) as stopped:
        main([*folder, "up", "--gpus", "two"])
    assert stopped.value.code == 2
    assert 'such as "4,2"' in capsys.readouterr().err
