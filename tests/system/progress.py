"""Waiting for a moment in the middle of days that run on a stack."""

import time


def wait_until_running(stack, task, first, days):
    """Wait until a task of the days from the first one on is under way.

    Args:
        stack: On which they run.
        task: Its name.
        first: The first of the days.
        days: The future of the command that runs them.

    Returns:
        The run, the place among mapped ones, and the attempt of each that is under way.
    """
    query = (
        "select t.run_id, t.map_index, t.try_number from task_instance t join dag_run r using (dag_id, run_id) "
        f"where t.task_id = '{task}' and t.state = 'running' and r.logical_date >= '{first}'"
    )
    while not (found := stack.ask(query)):
        assert not days.done(), days.result().stdout
        time.sleep(0.1)
    return found
