"""All kinds of faults. A kind has a moment at which it is due, and what it does then."""

import signal

from alignsec.run.pair_shard import shard_name
from benchmarks.faults import actions
from benchmarks.faults.fault import Fault, Kind

KILL, TERM, HUP = signal.SIGKILL, signal.SIGTERM, signal.SIGHUP
VACATE = actions.run_condor("condor_vacate_job", "-fast")
HOLD = actions.run_condor("condor_hold")
REMOVE = actions.run_condor("condor_rm")
EVICTED, ABORTED, HELD = "004", "009", "012"
"""Numbers of events in HTCondor's log."""

KINDS: dict[str, Kind] = {
    "SIGKILL of a job": Kind(actions.send_signal(Fault.find_jobs, KILL)),
    "SIGTERM of a job": Kind(actions.send_signal(Fault.find_jobs, TERM)),
    "SIGKILL of a starter": Kind(actions.send_signal(actions.find_starters, KILL)),
    "SIGTERM of a starter": Kind(actions.send_signal(actions.find_starters, TERM)),
    "SIGKILL of a shadow": Kind(actions.send_signal(actions.find_shadows, KILL)),
    "SIGTERM of a shadow": Kind(actions.send_signal(actions.find_shadows, TERM)),
    "SIGKILL of DAGMan": Kind(actions.send_signal(actions.find_dagman, KILL)),
    "SIGTERM of DAGMan": Kind(actions.send_signal(actions.find_dagman, TERM)),
    "SIGKILL of DAGMan during FINAL": Kind(actions.send_signal(actions.find_dagman, KILL), hits_final=True),
    "SIGKILL of FINAL": Kind(actions.send_signal(Fault.find_jobs, KILL), hits_final=True),
    "FINAL vacated": Kind(VACATE, event=EVICTED, hits_final=True),
    "FINAL held": Kind(HOLD, event=HELD, hits_final=True),
    "FINAL removed": Kind(REMOVE, event=ABORTED, hits_final=True),
    "job vacated": Kind(VACATE, event=EVICTED),
    "job held": Kind(HOLD, event=HELD),
    "job removed": Kind(REMOVE, event=ABORTED),
    "DAG removed": Kind(lambda fault: actions.remove_dag(fault.run)),
    "SIGKILL of the schedd": Kind(actions.signal_daemon("condor_schedd", KILL), shared=True),
    "SIGTERM of the schedd": Kind(actions.signal_daemon("condor_schedd", TERM), shared=True),
    "SIGKILL of the startd": Kind(actions.signal_daemon("condor_startd", KILL), shared=True),
    "SIGTERM of the startd": Kind(actions.signal_daemon("condor_startd", TERM), shared=True),
    "full disk at submission": Kind(actions.fill_disk, lambda fault: True, small_disk=True),
    "full disk after submission": Kind(actions.fill_disk, actions.is_submitted, small_disk=True),
    "full disk while jobs run": Kind(actions.fill_disk, small_disk=True),
    "full disk during FINAL": Kind(actions.fill_disk, hits_final=True, small_disk=True),
    "full disk of the machine": Kind(
        lambda fault: True, actions.has_happened, before=actions.run_once("disk", "ulimit -f 0")
    ),
    "black-hole machine": Kind(
        lambda fault: True,
        actions.has_happened,
        before='n=$(ls "$here" | grep -c once-hole); [ "$n" -ge 4 ] || { : > "$here/once-hole-$n-$$"; exit 127; }',
    ),
    "code.zip damaged": Kind(actions.damage_file(lambda fault: fault.run.run.code), actions.is_submitted),
    "pair file damaged": Kind(
        actions.damage_file(lambda fault: fault.run.run.pair_file(shard_name(0))), actions.is_submitted
    ),
    "image pack damaged": Kind(actions.damage_file(actions.find_pack), actions.is_submitted),
    "weights damaged": Kind(actions.damage_file(actions.find_weights), actions.is_submitted),
    "plan damaged": Kind(actions.damage_file(lambda fault: fault.run.run.plan), actions.is_submitted, whole=True),
    "job.sh damaged": Kind(actions.damage_file(lambda fault: fault.run.run.job_script), actions.is_submitted),
    "outcome damaged": Kind(
        actions.damage_file(Fault.find_outcome), actions.has_outcome, damages=True, whole=True
    ),
    "checkpoint damaged": Kind(
        lambda fault: True,
        actions.has_happened,
        before='if [ -e checkpoint.bin ] && [ ! -e "$here/once-checkpoint" ]; then '
        ': > "$here/once-checkpoint"; printf XX | '
        "dd of=checkpoint.bin bs=1 seek=90 conv=notrunc 2>/dev/null; fi",
        site={"CHECKPOINT_SECONDS": "5"},
        long=True,
    ),
    "nodes log damaged": Kind(actions.append_junk(lambda fault: fault.run.run.events), actions.has_events),
    "DAGMan's log damaged": Kind(
        actions.append_junk(lambda fault: fault.run.run.dagman_log), actions.is_submitted
    ),
    "SIGKILL of make local": Kind(actions.send_signal(actions.find_local_command, KILL), local=True),
    "SIGTERM of make local": Kind(actions.send_signal(actions.find_local_command, TERM), local=True),
    "SIGHUP of make local": Kind(actions.send_signal(actions.find_local_command, HUP), local=True),
    "SIGKILL of a local job": Kind(actions.send_signal(Fault.find_jobs, KILL), local=True),
    "local pair file damaged": Kind(
        actions.damage_file(lambda fault: fault.run.run.pair_file(shard_name(0))),
        lambda fault: fault.run.run.plan.exists(),
        local=True,
    ),
    "full disk of make local": Kind(actions.fill_disk, small_disk=True, local=True),
    "nodes log removed": Kind(
        actions.damage_file(lambda fault: fault.run.run.events), actions.has_events, damages=True
    ),
}
"""Every kind by its name."""
