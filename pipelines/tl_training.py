"""TL-Training: faulty turns masked, key tokens weighted, then PPO on a reward for the kind of error.

preflight -> ingest -> trace generation (sharded; of the questions that have no gold) -> error labeling ->
SFT -> PPO from the SFT policy, with the same evaluation of the base model, after SFT and after PPO, and
promotion at the end.
"""

from kfp import dsl

from components.contracts.images import image
from components.error_labeling.component import error_labeling
from components.evaluation.component import evaluation
from components.ingest.component import ingest
from components.ppo.component import ppo
from components.preflight.component import preflight
from components.promotion.component import promotion
from components.sft.component import sft
from components.trace_generation.component import trace_generation
from pipelines.resources import Placement, equip, read_resources

# The stages with settings, in the order in which they run.
STAGES = (
    "preflight",
    "ingest",
    "trace_generation",
    "error_labeling",
    "sft",
    "ppo",
    "evaluation",
    "promotion",
)

PAPER = '{"preset":"tl-training"}'


@dsl.pipeline(name="tl-training", display_name="Whetstone: TL-Training")
def tl_training(
    questions: str,
    base_model: str = "hf://HuggingFaceTB/SmolLM2-135M-Instruct",
    tools_url: str = "http://whetstone-tools:8080",
    artifact_store: str = "",
    checkpoint_root: str = "",
    publish_to: str = "",
    preflight_settings: str = PAPER,
    ingest_settings: str = PAPER,
    trace_generation_settings: str = PAPER,
    error_labeling_settings: str = PAPER,
    sft_settings: str = PAPER,
    ppo_settings: str = PAPER,
    evaluation_settings: str = PAPER,
    promotion_settings: str = PAPER,
    preflight_image: str = image("preflight"),
    ingest_image: str = image("ingest"),
    trace_generation_image: str = image("trace_generation"),
    error_labeling_image: str = image("error_labeling"),
    sft_image: str = image("sft"),
    ppo_image: str = image("ppo"),
    evaluation_image: str = image("evaluation"),
    promotion_image: str = image("promotion"),
    trace_generation_accelerators: str = "0",
    sft_accelerators: str = "0",
    ppo_accelerators: str = "0",
    evaluation_accelerators: str = "0",
    accelerator_type: str = "nvidia.com/gpu",
    node_selector: dict[str, str] = {},  # noqa: B006 - KFP reads the default from the signature and never changes it
    tolerations: list[dict[str, str]] = [],  # noqa: B006
    store_secret: str = "whetstone-store",
    tools_secret: str = "whetstone-tools",
    model_secret: str = "whetstone-model",
) -> None:
    """Teach a model to use tools from trajectories and its own practice, then by reward, and prove it.

    Args:
        questions: Files or URIs of trajectories, gold calls and questions with answers, comma separated.
        base_model: URI of the base model: hf://, s3://, demo:// or a folder.
        tools_url: Address of the tools service, http(s)://host:port.
        artifact_store: s3:// prefix for artifacts' payloads, content-addressed; empty leaves them to KFP.
        checkpoint_root: s3:// prefix for checkpoints, from which a retried stage resumes; empty keeps none.
        publish_to: s3:// prefix where the adapter is published when the gate opens; empty publishes nothing.
        preflight_settings: JSON settings of preflight, for example {"preset":"tl-training"}.
        ingest_settings: JSON settings of ingest, for example {"preset":"tl-training"}.
        trace_generation_settings: JSON settings of trace generation, for example {"preset":"tl-training"}.
        error_labeling_settings: JSON settings of error labeling, for example {"preset":"tl-training"}.
        sft_settings: JSON settings of SFT, for example {"preset":"tl-training"}.
        ppo_settings: JSON settings of PPO, for example {"preset":"tl-training"}.
        evaluation_settings: JSON settings of evaluation, for example {"preset":"tl-training"}.
        promotion_settings: JSON settings of promotion, for example {"preset":"tl-training"}.
        preflight_image: Image that runs preflight.
        ingest_image: Image that runs ingest.
        trace_generation_image: Image that runs trace generation.
        error_labeling_image: Image that runs error labeling.
        sft_image: Image that runs SFT.
        ppo_image: Image that runs PPO.
        evaluation_image: Image that runs the three evaluations.
        promotion_image: Image that runs promotion.
        trace_generation_accelerators: Accelerators of each trace generation shard, as text: "0", "1" ...
        sft_accelerators: Accelerators of SFT, as text.
        ppo_accelerators: Accelerators of PPO, as text.
        evaluation_accelerators: Accelerators of each evaluation, as text.
        accelerator_type: Kubernetes resource name of the accelerators.
        node_selector: Node labels that every stage's pod asks for, a JSON object of strings.
        tolerations: Kubernetes tolerations of every stage's pod, a JSON list of objects.
        store_secret: Secret with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, AWS_DEFAULT_REGION; may be absent.
        tools_secret: Secret with WHETSTONE_TOOLS_TOKEN; may be absent.
        model_secret: Secret with HF_TOKEN and OPENAI_API_KEY; may be absent.
    """
    resources = read_resources()
    placement = Placement(
        accelerator_type, node_selector, tolerations, store_secret, tools_secret, model_secret
    )

    checked = preflight(
        questions=questions,
        base_model=base_model,
        tools_url=tools_url,
        artifact_store=artifact_store,
        checkpoint_root=checkpoint_root,
        publish_to=publish_to,
        settings=preflight_settings,
        ingest_settings=ingest_settings,
        trace_generation_settings=trace_generation_settings,
        error_labeling_settings=error_labeling_settings,
        sft_settings=sft_settings,
        ppo_settings=ppo_settings,
        evaluation_settings=evaluation_settings,
        promotion_settings=promotion_settings,
    )
    equip(checked, "Preflight", resources["preflight"], placement, image=preflight_image)
    checked.set_caching_options(False)  # endpoints and secrets change without any parameter changing

    ingested = ingest(questions=questions, settings=ingest_settings, artifact_store=artifact_store)
    ingested.after(checked)
    equip(ingested, "Ingest", resources["ingest"], placement, image=ingest_image)

    with dsl.ParallelFor(ingested.outputs["Output"], name="shards") as shard:
        generated = trace_generation(
            question_set=ingested.outputs["question_set"],
            base_model=base_model,
            tools_url=tools_url,
            settings=trace_generation_settings,
            artifact_store=artifact_store,
            shard=shard,
        )
        equip(
            generated,
            "Trace generation",
            resources["trace_generation"],
            placement,
            image=trace_generation_image,
            accelerators=trace_generation_accelerators,
        )

    labeled = error_labeling(
        traces=dsl.Collected(generated.outputs["traces"]),
        trajectories=ingested.outputs["trajectories"],
        settings=error_labeling_settings,
        artifact_store=artifact_store,
    )
    equip(labeled, "Error labeling", resources["error_labeling"], placement, image=error_labeling_image)

    tuned = sft(
        labeled=labeled.outputs["labeled"],
        base_model=base_model,
        settings=sft_settings,
        artifact_store=artifact_store,
        checkpoint_root=checkpoint_root,
    )
    equip(tuned, "SFT", resources["sft"], placement, image=sft_image, accelerators=sft_accelerators)

    improved = ppo(
        labeled=labeled.outputs["labeled"],
        base_model=base_model,
        settings=ppo_settings,
        artifact_store=artifact_store,
        checkpoint_root=checkpoint_root,
        initial=tuned.outputs["adapter"],
    )
    equip(improved, "PPO", resources["ppo"], placement, image=ppo_image, accelerators=ppo_accelerators)

    before = evaluation(
        question_set=ingested.outputs["question_set"],
        base_model=base_model,
        tools_url=tools_url,
        settings=evaluation_settings,
        artifact_store=artifact_store,
        title="base model",
    )
    between = evaluation(
        question_set=ingested.outputs["question_set"],
        base_model=base_model,
        tools_url=tools_url,
        settings=evaluation_settings,
        artifact_store=artifact_store,
        adapter=tuned.outputs["adapter"],
        title="after SFT",
    )
    after = evaluation(
        question_set=ingested.outputs["question_set"],
        base_model=base_model,
        tools_url=tools_url,
        settings=evaluation_settings,
        artifact_store=artifact_store,
        adapter=improved.outputs["adapter"],
        title="after PPO",
    )
    for task, name in (
        (before, "Evaluation before"),
        (between, "Evaluation after SFT"),
        (after, "Evaluation after PPO"),
    ):
        equip(
            task,
            name,
            resources["evaluation"],
            placement,
            image=evaluation_image,
            accelerators=evaluation_accelerators,
        )

    promoted = promotion(
        before=before.outputs["evaluation"],
        after=after.outputs["evaluation"],
        adapter=improved.outputs["adapter"],
        labeled=labeled.outputs["labeled"],
        publish_to=publish_to,
        settings=promotion_settings,
        artifact_store=artifact_store,
        between=between.outputs["evaluation"],
    )
    equip(promoted, "Promotion", resources["promotion"], placement, image=promotion_image)
