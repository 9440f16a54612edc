"""People's actions on the champion: roll it back, promote a version by hand, pin it or let it go.

One Airflow DAG per pipeline, without a schedule: *Trigger* asks what to do and why. `choose` checks the wish against
the ledger and the registry, `prove` loads the version and lets it score real rows, `apply` moves the champion, unless
somebody else has moved it meanwhile. While a champion is pinned, the gate judges and does not move it. Who triggered
the run and the reason are kept in the ledger.
"""

from airflow.sdk import Param

from airloom.operators.champion import ApplyChoiceOperator, ChooseOperator, ProveChoiceOperator
from airloom.scheduling.stages import action_dag, asset, pipelines

PARAMS = {
    "action": Param("rollback", enum=["rollback", "promote", "pin", "unpin"], description="What to do."),
    "version": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        description="The model version; a rollback without one goes to the champion before.",
    ),
    "effective_from": Param(
        None,
        type=["null", "string"],
        format="date",
        description="The day from which it is champion; without one, the newest day that can be scored.",
    ),
    "reason": Param(type="string", minLength=1, description="Why; it is kept in the ledger."),
}
CHOSEN_DAY = "{{ ti.xcom_pull(task_ids='choose')['partition'] }}"

for pipeline in pipelines():
    with action_dag(pipeline, "champion", doc=__doc__, params=PARAMS):
        choose = ChooseOperator(
            task_id="choose",
            action="{{ params.action }}",
            version="{{ params.version or '' }}",
            reason="{{ params.reason }}",
            partition="{{ params.effective_from or '' }}",
        )
        prove = ProveChoiceOperator(task_id="prove", chosen=choose.output, partition=CHOSEN_DAY)
        apply = ApplyChoiceOperator(
            task_id="apply",
            chosen=choose.output,
            partition=CHOSEN_DAY,
            pool="airloom_champion",
            outlets=[asset(pipeline, "champion")],
        )

        choose >> prove >> apply
