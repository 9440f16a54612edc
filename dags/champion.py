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
    "action": Param(
        "rollback",
        type="string",
        title="Action",
        enum=["rollback", "promote", "pin", "unpin"],
        values_display={
            "rollback": "Roll back: a former champion again",
            "promote": "Promote: another version, by hand",
            "pin": "Pin: the gate judges and does not move the champion",
            "unpin": "Unpin: the gate may move it again",
        },
        description="What to do with the champion.",
    ),
    "version": Param(
        None,
        type=["null", "integer"],
        title="Version",
        minimum=1,
        description="The model version. A promotion needs one; a rollback without one goes to the champion before; "
        "pin and unpin take none.",
    ),
    "effective_from": Param(
        None,
        type=["null", "string"],
        title="Effective from",
        format="date",
        description="The first day that it scores as champion. Empty: the newest day that can be scored, whatever the "
        "logical date above.",
    ),
    "reason": Param(
        type="string",
        title="Reason",
        pattern=r"\S",
        description="Why. It stays in the ledger, with your name.",
    ),
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
