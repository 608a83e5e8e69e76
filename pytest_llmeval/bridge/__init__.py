"""The bridge between pytest and the rest of the package: the only code beside ``plugin`` that imports pytest.

One session, in the order in which things happen:

- ``plugin`` registers the ``Conductor``, whose hooks say what happens until cases run, and call ``stages``.
- ``stages.marked_functions`` makes cases of the functions that were asked for, as ``collection.selection`` knows it.
  With the first of them ``preparation`` looks at settings, rules, models and earlier runs.
- ``stages.deselecting`` leaves out what is not to run; ``stages.gathering`` sums up what is left in
  ``collection.facts``: what is wrong there ends the session.
- ``stages.run_start`` has ``wiring`` register a ``CaseRunner`` where cases run and a ``Recorder`` where the run is
  recorded. Under xdist these are the workers and the controller, which tell each other what ``workers`` says; without
  it both are one process.
- ``execution.running`` runs the cases, asks ahead and runs bodies ahead; it puts each finished case on its report.
- ``records.recording`` takes the cases from the reports and makes the calls of all processes;
  ``records.run_ending`` applies the gate and sets the exit status.

Imports point down: ``stages``, ``preparation``, ``records``, ``execution``, ``collection``, ``casework``, ``config``
(``.importlinter`` has the whole order). A session without evals imports nothing that needs models, store or scorers.
"""
