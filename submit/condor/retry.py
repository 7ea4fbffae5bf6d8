"""Retries on other machines: a retry avoids for some time the machines on which its pair's jobs failed.

Each retry of a DAG node is a new job, so HTCondor's own record of a job's machines (`job_machine_attrs`) is empty.
Before a retry, the submit description therefore includes the output of a script, which reads the machines from the
event log. HTCondor's retry in the queue (`max_retries`) would keep that record. But DAGMan would then retry a job
that fails for good once more, and its retries cannot be left out: they also replace jobs that were removed.

Reference: HTCondor manual, "Submitting Jobs", including the output of a command; "DAGMan", macros of a node.
"""

from collections.abc import Iterator
from pathlib import Path

from alignsec.run import exit_code
from alignsec.run.folder import RunFolder
from submit.site import Site

RUN = RunFolder(Path())
LOG_BYTES = 10_000_000
"""The part of the event log that is read, its end: DAGMan waits for the script. The failure is recent."""


def retry_lines(site: Site) -> Iterator[str]:
    """Yield the part of a submit description that makes a retry avoid machines; nothing if it is turned off."""
    if not (site.retries and site.retry_elsewhere_seconds):
        return
    yield "# DAGMan sets RETRY: 0 for the first job of a node."
    yield "if $(RETRY:0)"
    yield f"pool_requirements = {site.requirements or 'true'}"
    yield "requirements = $(pool_requirements)"
    yield f"include : /bin/sh {RUN.retry_script} $(JOB) {site.retry_elsewhere_seconds} |"
    yield "endif"


def retry_script() -> str:
    """Return the script that prints the requirements of a retry.

    It prints nothing if no machine is known, and always exits with 0: then the retry may run anywhere. A machine's
    name from the log becomes part of an expression, so that only letters, digits and . _ - are accepted.
    """
    no_failure = " || ".join(
        f"code == {code}" for code in (exit_code.DONE, exit_code.PERMANENT_FAILURE, exit_code.CHECKPOINT)
    )
    return f"""#!/bin/sh
# Runs on the access point, in the run folder, before a retry of a pair: retry-requirements.sh PAIR SECONDS
# DAGMan includes the output in the submit description of the retry.
PATH=${{PATH:-/usr/local/bin:/usr/bin:/bin}}
export PATH
tail -c {LOG_BYTES} {RUN.events} 2>/dev/null | LC_ALL=C awk -v node="$1" -v seconds="$2" '
/^[0-9][0-9][0-9] \\([0-9]+\\.[0-9]+\\.[0-9]+\\) / {{ kind = $1; job = $2 }}
kind == "000" && $1 == "DAG" && $2 == "Node:" {{ own[job] = ($3 == node) }}
kind == "000" && index($0, "DAGNodeName = \\"" node "\\"") {{ own[job] = 1 }}
kind == "001" && $1 == "SlotName:" {{ machine[job] = $2; sub(/.*@/, "", machine[job]) }}
kind == "005" && own[job] && match($0, /\\(return value -?[0-9]+\\)/) {{
  code = substr($0, RSTART + 14, RLENGTH - 15) + 0
  if (!({no_failure})) add(machine[job])
}}
kind == "005" && own[job] && /Abnormal termination/ {{ add(machine[job]) }}
function add(name) {{
  if (name ~ /^[A-Za-z0-9._-]+$/ && !(name in failed)) {{
    failed[name] = 1
    names = names (names == "" ? "" : ",") name
  }}
}}
END {{
  if (names == "") exit
  printf "requirements = ($(pool_requirements)) && (time() - QDate > %d || ", seconds
  printf "stringListIMember(TARGET.Machine, \\"%s\\") =!= true)\\n", names
}}' 2>/dev/null
exit 0
"""
