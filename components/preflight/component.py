"""The KFP face of preflight."""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Input, Markdown, Output

from components.contracts.image_contract import check_image
from components.contracts.images import image


@dsl.component(base_image=image("preflight"), install_kfp_package=False, additional_funcs=[check_image])
def preflight(
    questions: str,
    base_model: str,
    tools_url: str,
    artifact_store: str,
    checkpoint_root: str,
    publish_to: str,
    settings: str,
    ingest_settings: str,
    trace_generation_settings: str,
    error_labeling_settings: str,
    evaluation_settings: str,
    report: Output[Markdown],
    sft_settings: str = "",
    ppo_settings: str = "",
    promotion_settings: str = "",
    ablation_settings: str = "",
    preferences_settings: str = "",
    dpo_settings: str = "",
    mcts_settings: str = "",
    rounds_settings: str = "",
    method: str = "",
    kind: str = "",
    question_set: Input[Dataset] = None,
) -> None:
    """Look at endpoints, secrets, questions, model, GPU, disk and settings before anything costs money.

    Args:
        questions: File or URI of the questions, local or s3://.
        base_model: URI of the base model: hf://, s3://, demo:// or a folder.
        tools_url: Address of the tools service, http(s)://host:port.
        artifact_store: s3:// prefix or folder for artifacts' payloads; empty leaves them to KFP.
        checkpoint_root: s3:// prefix or folder for checkpoints; empty keeps none.
        publish_to: s3:// prefix or folder where a promoted adapter is published; empty skips it.
        settings: JSON settings of preflight itself.
        ingest_settings: JSON settings of ingest, parsed here so that a mistake shows at once.
        trace_generation_settings: JSON settings of trace generation, likewise.
        error_labeling_settings: JSON settings of error labeling, likewise.
        evaluation_settings: JSON settings of evaluation, likewise.
        report: What was checked and what was found.
        sft_settings: JSON settings of SFT, likewise; empty when the pipeline has no such stage.
        ppo_settings: JSON settings of PPO, likewise.
        promotion_settings: JSON settings of promotion, likewise.
        ablation_settings: JSON settings of the ablation's table, likewise.
        preferences_settings: JSON settings of the preference pairs, likewise.
        dpo_settings: JSON settings of DPO, likewise.
        mcts_settings: JSON settings of the search, likewise.
        rounds_settings: JSON settings of the judge between rounds, likewise.
        method: Ways of training that the run uses; empty for all that the pipeline has.
        kind: Kind of preference pairs; empty leaves it to preferences_settings.
        question_set: Artifact questions/1, once ingest has made it: whether it suits the run is then all that is looked at.
    """
    import json

    stages = {"ingest": ingest_settings, "trace_generation": trace_generation_settings}
    stages |= {"error_labeling": error_labeling_settings, "preferences": preferences_settings}
    stages |= {"sft": sft_settings, "ppo": ppo_settings, "mcts": mcts_settings, "dpo": dpo_settings}
    stages |= {"evaluation": evaluation_settings, "rounds": rounds_settings}
    stages |= {"promotion": promotion_settings, "ablation": ablation_settings}
    there = {stage: text for stage, text in stages.items() if text}
    given: dict[str, Any] = {
        "questions": questions,
        "base_model": base_model,
        "tools_url": tools_url,
        "artifact_store": artifact_store,
        "checkpoint_root": checkpoint_root,
        "publish_to": publish_to,
        "settings": settings,
        "stage_settings": json.dumps(there),
        "report": report,
        "method": method,
        "kind": kind,
        "question_set": question_set,
    }
    check_image("preflight", given)
    from components.preflight.run import run

    run(**given)
