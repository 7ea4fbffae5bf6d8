"""A run whose pairs are all ok, and its analysis."""

from aggregate.analysis import analyse
from alignsec.run.event_log import EventLog

SCORES = (
    "Rank,Model,Filtered Score,average_vision,neural_vision,V1,behavior_vision\n"
    "1,a,,.9,.8,.7,.1\n2,b,,.7,.6,.5,.1\n3,c,,.5,.4,.3,.1\n4,d,,.3,.2,.1,.1\n5,z,,.3,.2,.1,.1\n"
)


def write_complete_run(make_run, **more):
    """Write a run of four models in which all pairs are ok."""
    run = make_run(**more)
    for place, model in enumerate(["a", "b", "c", "d"]):
        run.write_record(model, "clean", "R" * 9 + "W")
        run.write_record(
            model, "autoattack-Linf", "R" * (8 - place) + "c" * (place + 1) + "W", "RR" + "t" * 7 + "W"
        )
    return run


def analyse_run(run, outcomes=None, out=None):
    """Analyse a run, by default its own outcomes into its own analysis folder."""
    return analyse(
        run.folder, outcomes or run.folder.outcomes, EventLog(run.folder.events), out or run.folder.analysis
    )


def read_contents(folder):
    """Return the bytes of every file below a folder by relative path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
