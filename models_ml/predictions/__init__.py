"""Predictions: models that marketers ask for, from the question to everybody's score.

For pages and the API (these import no model library):

ready        READY, find(key=), install(key=, target=, horizon_days=, actor=, now=)
definitions  create(title=, target=, horizon_days=, population=, settings=, key=, actor=, now=),
             change(prediction=, ...), archive(prediction=, actor=, now=), restore(...), get(key=)
sufficiency  look(target=, horizon_days=, population=, now=): what the data holds for a question
training     start(prediction=, user=) and start_scoring(...) queue jobs; open_job(prediction=,
             kind=TRAIN | SCORE); url_of(prediction)
life         versions(prediction=), publish(version=, actor=), roll_back(prediction=, actor=),
             previous(prediction=), shade(version=, actor=), due(prediction=, now=)
reading      of_person(customer_id=), reach(prediction=, people=), spread(prediction=), watches(...)
answers      ask(prediction=, customer_id=): the reasons for a score once a worker has them
gate         rule_name(name): a baseline in words

What a page shows of a version is in `ModelVersion.details` (kind "prediction"): table (a row an
estimator: name, later, cv, gain, seconds, calibration, is_baseline), calibration, gains,
gains_baseline, importances, dropped, features (name → meaning, unit), base_rate, threshold,
judged_at, judged_people, learned_people, later_in_time, verdict, duel.

For workers: `engines` says who answers, `engines.contests` in most cases; `planning` and
`engines.samples` say what is read, `profiles` how people were spread, `scoring` and `parts` write
everybody's score at once, `watching` looks at those in use, `reasons` says why one person has their
score. All of it is started by `models_ml.jobs.predictions` and `models_ml.tasks`.
"""
