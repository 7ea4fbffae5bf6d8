"""Entry point: `python -m submit STUDY` checks a study, writes its run folder, and runs or submits it."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from alignsec import hub_cache, status
from alignsec.mistake import Mistakes
from alignsec.run_folder import Plan, RunFolder
from submit import layout
from submit.display import Display
from submit.local import Local
from submit.site import Site

HOUSE = Path(__file__).resolve().parent.parent
MISTAKEN = 2
INTERRUPTED = 130


def main() -> int:
    """Read the arguments and do as they say; 0 is done, 1 not every pair is ok, 2 mistakes, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python -m submit", description=__doc__)
    parser.add_argument("study", type=Path, help="the study file, such as studies/demo.toml")
    parser.add_argument("--env", type=Path, default=HOUSE / ".env", help="the site's settings (default: .env)")
    parser.add_argument("--dry", action="store_true", help="check everything and write the run folder, no more")
    parser.add_argument("--local", action="store_true", help="run the pairs on this machine, without HTCondor")
    arguments = parser.parse_args()
    console = Console(soft_wrap=True)
    try:
        site = Site.read(arguments.env)
        checked = layout.check(arguments.study, hub_cache.folder(os.environ))
        folder = RunFolder((HOUSE / site.runs / checked.study.name).resolve())
        plan = layout.write(checked, folder)
        console.print(f"{folder.root}: {len(plan.planned)} pairs, {plan.image_count} images", highlight=False)
        return 0 if arguments.dry else _run_here(console, site, plan, folder)
    except Mistakes as mistakes:
        sys.stderr.write(f"{mistakes}\n")
        return MISTAKEN


def _run_here(console: Console, site: Site, plan: Plan, folder: RunFolder) -> int:
    """Run the pairs that are not ok, then the analysis."""
    processes = site.local_jobs or os.cpu_count() or 1
    local = Local(folder, site.job_python, os.environ, processes, site.retries)
    already = [planned.pair.id for planned in plan.planned if local.is_ok(planned)]
    try:
        with Display(console, plan, plan.image_count, already) as display:
            local.on_progress = display.said
            for ended in local.run(plan):
                pair = next(pair for pair in plan if pair.id == ended.id)
                now = status.of_pair(pair, folder.outcome(ended.id))
                display.ended(ended.id, now.state + (f" ({now.reason})" if now.reason else ""))
    except KeyboardInterrupt:
        console.print("interrupted; what is finished is kept, and the same command goes on from there")
        return INTERRUPTED
    analysis = [site.job_python, "-m", "aggregate", str(folder.root)]
    return subprocess.run(analysis, cwd=HOUSE, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
