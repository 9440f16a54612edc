"""The small worlds that tests run in; none depends on the shipped example.

How a world is made:

- `installation`: settings, a declaration, and the function that publishes a table's day.
- `candidates`: simple candidates without a library, and those that go wrong.
- `models`: one candidate of scikit-learn and one of torch, for tests of training and of model files.
- `fixtures`: the prepared installation, and the isolation of what a project's code imports.

Which world is for what:

- `trips`, a pipeline `toy` with two tables: extract, validate and publish.
- `flights`, a pipeline `flights` with six views over raw tables: compute, materialize and score.
- `feature_lake`, a pipeline `small` with two views in a lake and in Feast: the offline and the online store.
- `nights`, a pipeline `late` and training sets of it: fit, evaluate, compare, decide.
  - `small_lake`: its tables and its view in a real lake and in Feast: assemble.
  - `registered`: nine registered versions of it, and nothing else: choose, prove and apply a champion.
  - `two_nights`: its folder, audits, and two versions with something changed in between: diff.
  - `reproducible`: `small_lake` and a version that was trained there: reproduce and vacuum.
- `late_labels`, a project with three pipelines, run by the plain steps in any order (`days`) and by plain loops
  (`reference`): training sets. The label of `churn` comes a week later and is corrected, that of `demand` serves
  several scored days, and that of `spam` is in the scored row.
- `prepared`, the pipeline `parcels` in `include/`, complete with source, features, models, SQL and expectations, in an
  installation that `airloom up` has prepared: the launcher, the doctor, and the system tests, where servers run.
"""
