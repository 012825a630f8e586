"""The KFP face of run_report."""

from kfp import dsl
from kfp.dsl import HTML, Output, PipelineTaskFinalStatus

from components.contracts.image_contract import check_image
from components.contracts.images import image


@dsl.component(base_image=image("run_report"), install_kfp_package=False, additional_funcs=[check_image])
def run_report(
    status: PipelineTaskFinalStatus,
    pipeline: str,
    questions: str,
    base_model: str,
    tools_url: str,
    artifact_store: str,
    checkpoint_root: str,
    report: Output[HTML],
    method: str = "",
    kind: str = "",
    publish_to: str = "",
) -> None:
    """Say how a run ended and what to do next; it runs after all other stages, also when one of them failed.

    Args:
        status: How the other stages ended, as KFP tells it; from a shell JSON, as in the README.
        pipeline: What people call the pipeline.
        questions: The run's parameter.
        base_model: The run's parameter.
        tools_url: The run's parameter; empty is not shown.
        artifact_store: The run's parameter; empty leaves payloads to KFP.
        checkpoint_root: The run's parameter; empty keeps no checkpoints.
        report: How the run ended, what to do, and what it was given.
        method: The run's parameter, where its pipeline has it.
        kind: The run's parameter, where its pipeline has it.
        publish_to: The run's parameter, where its pipeline has it.
    """
    check_image("run_report", locals())
    from components.run_report.run import run

    run(
        status=status,
        pipeline=pipeline,
        questions=questions,
        base_model=base_model,
        tools_url=tools_url,
        artifact_store=artifact_store,
        checkpoint_root=checkpoint_root,
        report=report,
        method=method,
        kind=kind,
        publish_to=publish_to,
    )
