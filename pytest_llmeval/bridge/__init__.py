"""The bridge between pytest and the rest of the package: the only code besides ``plugin`` that imports pytest.

What happens in one session, in this order:

- ``plugin`` registers the ``Conductor``, whose hooks call ``stages`` until cases run.
- ``stages.marked_functions`` makes cases of the functions that were asked for, as ``collection.selection`` knows it. On
  the first of them, ``preparation`` reads settings, rules, models and earlier runs.
- ``stages.deselecting`` leaves out what is not to run; ``stages.gathering`` sums up what is left in
  ``collection.facts``. Problems found there end the session.
- ``stages.run_start`` has ``wiring`` register a ``CaseRunner`` where cases run and a ``Recorder`` where the run is
  recorded. Under xdist these are the workers and the controller, which exchange messages through ``workers``; without
  it one process is both.
- ``execution.running`` runs the cases, requests responses ahead and runs bodies ahead; it puts each finished case on
  its report.
- ``records.recording`` takes the cases from the reports and makes the calls of all processes; ``records.run_ending``
  applies the gate and sets the exit status.

Imports point down: ``stages``, ``preparation``, ``records``, ``execution``, ``collection``, ``casework``, ``config``
(``.importlinter`` has the whole order). A session without evals imports nothing that needs models, store or scorers.
"""
