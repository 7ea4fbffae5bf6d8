"""Synthetic event logs: the events that HTCondor 23.9 wrote of a DAG's jobs, with other numbers and names."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
_ADDRESS = "127.0.0.1:39113?addrs=127.0.0.1-39113&alias=vm&noUDP&sock"
_SUBMITTED = """\
000 ({job:03d}.000.000) {time} Job submitted from host: <{address}=schedd_5283_9754>
    DAG Node: {node}
...
"""
_EXECUTING = """\
001 ({job:03d}.000.000) {time} Job executing on host: <{address}=startd_5283_9754>
\tSlotName: slot1_2@{host}
\tCondorScratchDir = "/scratch/execute/dir_{job}"
\tCpus = 1
\tDisk = 525312
\tGPUs = 0
\tMemory = 1152
...
"""
_ENDED = """\
005 ({job:03d}.000.000) {time} Job terminated.
\t(1) Normal termination (return value {code})
\t\tUsr 0 00:00:08, Sys 0 00:00:00  -  Run Remote Usage
\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Run Local Usage
\t\tUsr 0 00:00:08, Sys 0 00:00:00  -  Total Remote Usage
\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Total Local Usage
\t3482  -  Run Bytes Sent By Job
\t919549  -  Run Bytes Received By Job
\t3482  -  Total Bytes Sent By Job
\t919549  -  Total Bytes Received By Job
\tPartitionable Resources :    Usage  Request Allocated\x20
\t   Cpus                 :     0.82        1         1\x20
\t   Disk (KB)            :   917      524288    525312\x20
\t   GPUs                 :                           0\x20
\t   Memory (MB)          :   663        1100      1152\x20
\t   TimeExecute (s)      :    21                      \x20
\t   TimeSlotBusy (s)     :    21                      \x20

\tJob terminated of its own accord at 2026-11-25T02:14:46Z with exit-code {code}.
...
"""


def write_log(path: Path, nodes: Iterable[str], failed: int = 10) -> None:
    """Write the log of a DAG whose nodes ran one after the other, each on one of 50 machines.

    Args:
        path: The log.
        nodes: The names of the nodes.
        failed: Number of nodes, the first ones, that end with exit code 65.
    """
    with path.open("w", encoding="utf-8") as file:
        for number, node in enumerate(nodes):
            fields = {"job": number + 2, "node": node, "address": _ADDRESS, "host": f"gpu{number % 50}"}
            fields["code"] = 65 if number < failed else 0
            for text, seconds in ((_SUBMITTED, 0), (_EXECUTING, 5), (_ENDED, 26)):
                time = START + timedelta(seconds=number + seconds)
                file.write(text.format(time=f"{time:%Y-%m-%d %H:%M:%S}", **fields))
