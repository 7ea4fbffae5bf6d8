"""The paths of a run: every file of a run folder is named here and nowhere else."""

from dataclasses import dataclass
from pathlib import Path

JOB_OUTCOME, JOB_EXAMPLES, JOB_CHECKPOINT = "outcome.json", "examples.bin", "checkpoint.bin"
"""File names in a job's working folder: its outcome, its kept adversarial examples, and the state from which it
resumes."""
EXAMPLES_SUFFIX = ".examples"
REPORT = "report.html"
"""File name of the report page in the analysis folder."""
FINAL = "final"
"""Name of the FINAL node's job in the log files."""


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run.

    `RunFolder(Path())` gives the paths relative to the run folder, as submit descriptions and DAG files need them.
    """

    root: Path

    # The study and its inputs, copied when the run is written.

    @property
    def study(self) -> Path:
        """The frozen study file."""
        return self.root / "study.toml"

    @property
    def plan(self) -> Path:
        """The list of all pairs of the run."""
        return self.root / "plan.json"

    @property
    def scores(self) -> Path:
        """The frozen alignment scores."""
        return self.root / "scores.csv"

    @property
    def code(self) -> Path:
        """The frozen code of the jobs, a zip file for PYTHONPATH."""
        return self.root / "code.zip"

    @property
    def images(self) -> Path:
        """Folder of the image packs, named by digest."""
        return self.root / "images"

    @property
    def weights(self) -> Path:
        """Folder of links to the weights files, named by digest."""
        return self.root / "weights"

    @property
    def sources(self) -> Path:
        """Folder of the users' Python files that build models, named by digest."""
        return self.root / "sources"

    @property
    def pairs(self) -> Path:
        """Folder of the files of pairs, the jobs' inputs."""
        return self.root / "pairs"

    def pair_file(self, name: str) -> Path:
        """Return the path of a file of pairs: a shard, or in runs of earlier versions one pair by its id."""
        return self.pairs / f"{name}.json"

    def input(self, path: str) -> Path:
        """Return the path of an input that the plan lists relative to the run folder."""
        return self.root / path

    # Results.

    @property
    def outcomes(self) -> Path:
        """Folder of the outcome files, the jobs' outputs."""
        return self.root / "outcomes"

    def outcome(self, pair_id: str) -> Path:
        """Return the path of one pair's outcome file."""
        return self.outcomes / f"{pair_id}.json"

    def examples(self, pair_id: str) -> Path:
        """Return the path of one pair's kept adversarial examples; empty or absent if it has none."""
        return self.outcomes / f"{pair_id}{EXAMPLES_SUFFIX}"

    @property
    def verification(self) -> Path:
        """The result of the last `make verify`."""
        return self.root / "verify.json"

    @property
    def outcome_states(self) -> Path:
        """Cache of the states of the outcome files."""
        return self.root / ".outcomes.json"

    @property
    def event_histories(self) -> Path:
        """Cache of the histories in the event log."""
        return self.root / ".events.json"

    @property
    def analysis(self) -> Path:
        """Folder of the tables, the figures and the report."""
        return self.root / "analysis"

    @property
    def report(self) -> Path:
        """The report page."""
        return self.analysis / REPORT

    def comparison(self, other: Path) -> Path:
        """Return the default folder for a comparison with another run."""
        return self.root / "compare" / other.resolve().name

    # Logs and local jobs.

    @property
    def logs(self) -> Path:
        """Folder of the jobs' standard output and standard error."""
        return self.root / "logs"

    def log(self, pair_id: str) -> Path:
        """Return the path of the output of a pair's last local job."""
        return self.logs / f"{pair_id}.log"

    def output(self, job: str) -> Path:
        """Return the path of the standard output of a pool job: a pair's id, or FINAL."""
        return self.logs / f"{job}.out"

    def error_output(self, job: str) -> Path:
        """Return the path of the standard error of a pool job: a pair's id, or FINAL."""
        return self.logs / f"{job}.err"

    @property
    def scratch(self) -> Path:
        """Folder of the working folders of local jobs."""
        return self.root / "scratch"

    def job_scratch(self, pair_id: str) -> Path:
        """Return the path of the working folder of a pair's local job."""
        return self.scratch / pair_id

    @property
    def lock(self) -> Path:
        """Lock file, held by the process that runs the pairs locally."""
        return self.root / ".lock"

    # HTCondor: the DAG, the files that it names, and what DAGMan writes.

    @property
    def dag(self) -> Path:
        """The DAG file."""
        return self.root / "study.dag"

    @property
    def dagman_config(self) -> Path:
        """DAGMan's configuration for this DAG."""
        return self.root / "dagman.config"

    @property
    def pair_description(self) -> Path:
        """Submit description of the pairs' jobs."""
        return self.root / "pair.sub"

    @property
    def final_description(self) -> Path:
        """Submit description of the FINAL node's job."""
        return self.root / "final.sub"

    @property
    def job_script(self) -> Path:
        """The executable of all jobs, a shell script."""
        return self.root / "job.sh"

    @property
    def pre_script(self) -> Path:
        """The FINAL node's PRE script."""
        return self.root / "final-pre.sh"

    @property
    def retry_script(self) -> Path:
        """The script that prints the requirements of a retry."""
        return self.root / "retry-requirements.sh"

    @property
    def outcomes_archive(self) -> Path:
        """Archive of all outcome files, the FINAL node's input."""
        return self.root / "outcomes.tar"

    @property
    def events_copy(self) -> Path:
        """Copy of the event log, the FINAL node's input."""
        return self.root / "events.log"

    @property
    def events(self) -> Path:
        """HTCondor's event log of the pairs' jobs; DAGMan chooses the name."""
        return self.root / "study.dag.nodes.log"

    @property
    def dagman_log(self) -> Path:
        """HTCondor's event log of the DAGMan job; condor_submit_dag chooses the name."""
        return self.root / "study.dag.dagman.log"

    @property
    def dagman_output(self) -> Path:
        """DAGMan's own log, which says why the schedd refused a job."""
        return self.root / "study.dag.dagman.out"

    @property
    def dagman_lock(self) -> Path:
        """DAGMan's lock file, which names the process that runs the DAG."""
        return self.root / "study.dag.lock"

    @property
    def node_status(self) -> Path:
        """DAGMan's node status file."""
        return self.root / "study.status"

    @property
    def jobstate_log(self) -> Path:
        """DAGMan's jobstate log."""
        return self.root / "study.jobstate"

    @property
    def submissions(self) -> Path:
        """Folder of the DAGs and logs of earlier submissions, numbered from 1."""
        return self.root / "submissions"
