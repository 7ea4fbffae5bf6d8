"""Findings: completeness, sentences of the summary, and cautions."""

from aggregate.collect import table, tally
from aggregate.report import findings
from aggregate.scores import scores
from aggregate.statistics import tables
from aggregate.statistics.networks import Networks
from alignsec.run.event_log import EventLog
from alignsec.spec.attack import Attack


def _analyse(run, text=None):
    found = tally.read_tally(run.plan, run.folder.outcomes, EventLog(run.folder.events))
    rows = table.make_frame(found.rows)
    alignment = scores.parse_scores(text.encode()) if text else None
    return found, rows, tables.compute_tables(rows, alignment, Networks(), found.robust)


def _summarize(run, text=None):
    _, rows, statistics = _analyse(run, text)
    sentences = [s for finding in findings.summarize_attacks(rows, statistics) for s in finding.sentences]
    return [sentence.replace("\N{NO-BREAK SPACE}", " ") for sentence in sentences]


def _robust(run, counts):
    for model, robust in counts.items():
        run.write_record(model, "autoattack-Linf", "R" * 9 + "W", "R" * robust + "c" * (9 - robust) + "W")


def test_completeness_in_every_state(make_run):
    run = make_run(models=["a", "b"])
    assert findings.describe_completeness(run.plan, _analyse(run)[0]) == (
        "No results: 0 of 4 pairs ok, 4 missing (2 models, 2 attacks, 10 images)."
    )
    run.write_record("a", "clean", "R" * 10)
    run.write_failure("b", "clean", "out of memory")
    assert "Incomplete: 1 of 4 pairs ok, 1 failed and 2 missing (" in findings.describe_completeness(
        run.plan, _analyse(run)[0]
    )
    run.write_record("b", "clean", "R" * 10)
    _robust(run, {"a": 1, "b": 1})
    assert findings.describe_completeness(run.plan, _analyse(run)[0]) == (
        "Complete: 4 of 4 pairs ok (2 models, 2 attacks, 10 images)."
    )


def test_the_most_robust_models_are_named_with_their_counts(make_run):
    run = make_run()
    _robust(run, {"a": 2, "b": 5, "c": 2, "d": 2})
    medians, leaders, sampling = _summarize(run)
    assert sampling.startswith("The sample of 10 images causes about ")
    assert medians == (
        "Median clean accuracy of 4 models: 90.0 %; "
        "median robust accuracy 90.0 % at eps 0.5/255 and 20.0 % at eps 1/255."
    )
    assert leaders == (
        "Most robust at eps 1/255: b (50.0 %, 5 of 10 images, 95 % interval 18.7–81.3 %), "
        "a (20.0 %, 2 of 10 images, 95 % interval 2.5–55.6 %) and "
        "c (20.0 %, 2 of 10 images, 95 % interval 2.5–55.6 %); 1 other model has the same accuracy as the last."
    )


def test_the_summary_uses_the_largest_budget_with_a_robust_image(make_run):
    run = make_run(models=["a"])
    _robust(run, {"a": 0})
    assert "Most robust at eps 0.5/255: a (90.0 %" in _summarize(run)[1]
    run.write_record("a", "autoattack-Linf", "c" * 9 + "W", "c" * 9 + "W")
    assert _summarize(run)[1] == "At eps 0.5/255, the smallest budget, no model is robust on any image."


def test_correlations_have_r_p_q_and_n(make_run):
    run = make_run(models=list("abcde"))
    _robust(run, {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5})
    sentences = _summarize(run, "Model,average_vision,V1\na,.1,5\nb,.2,4\nc,.3,3\nd,.4,1\ne,.5,2\n")
    assert sentences[2] == (
        "Spearman correlation of alignment scores with robust accuracy at eps 1/255, over models: average 1.00 "
        "(p = 0.017, q = 0.017, n = 5). p is that of Spearman’s test, q after Benjamini and "
        "Hochberg’s correction. As in Hoak et al. (2025), models count as independent."
    )


def test_a_correlation_that_cannot_be_computed_has_a_reason(make_run):
    run = make_run()
    _robust(run, {"a": 1, "b": 2, "c": 3})
    assert _summarize(run, "Model,average_vision\na,.1\nb,.2\nc,.3\n")[2] == (
        "No correlation with alignment could be computed at eps 1/255: "
        "only 3 models have both a score and an outcome; at least 4 are needed."
    )


def test_a_study_of_clean_accuracy_alone_has_a_summary(make_run):
    run = make_run(models=["a"], attacks=[Attack(method="clean", name="clean")])
    run.write_record("a", "clean", "RRRW")
    assert _summarize(run) == ["Median clean accuracy of 1 model: 75.0 %."]


def test_cautions_list_differences_between_outcomes(make_run):
    run = make_run(models=["a", "b"], attacks=[Attack(method="clean", name="clean")])
    run.write_record("a", "clean", "R" * 10)
    assert findings.list_cautions(run.plan, *_analyse(run)[:2]) == []
    run.provenance = run.provenance.model_copy(
        update={
            "code": "d" * 64,
            "container": "sha256:def",
            "precision": "bfloat16",
            "versions": {"python": "3.12.1", "torch": "2.13.0"},
        }
    )
    run.write_record("b", "clean", "R" * 8)
    assert findings.list_cautions(run.plan, *_analyse(run)[:2]) == [
        "The ok outcomes come from 2 versions of the code.",
        "1 ok outcome comes from code that differs from the submitted code.",
        "The ok outcomes come from 2 containers.",
        "The ok outcomes differ in precision: bfloat16 and float32.",
        "The ok outcomes differ in the versions of python.",
        "1 pair has outcomes for 8 images; the plan has 10.",
    ]


def test_clean_accuracy_that_differs_between_attacks_is_a_caution(make_run):
    run = make_run(models=["a"])
    run.write_record("a", "clean", "R" * 10)
    _robust(run, {"a": 3})
    (sentence,) = findings.list_cautions(run.plan, *_analyse(run)[:2])
    assert sentence == "Clean accuracy differs between attacks on the same images: a."


def test_an_empty_table_has_no_findings():
    rows = table.make_frame([])
    assert findings.summarize_attacks(rows, tables.compute_tables(rows, None, Networks())) == []
