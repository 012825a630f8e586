"""TL-Training's ablation: each of its three components alone and together, in one table (the paper's Table 5).

preflight -> ingest -> practice (traces of the questions that have no gold) -> four arms side by side:
error labeling -> SFT -> evaluation, and -> PPO from that policy -> evaluation. Two rows an arm, so eight
rows; the base model's own evaluation is row zero. One table of them all at the end.
"""

from kfp import dsl

from components.ablation.component import ablation
from components.contracts.images import image
from components.error_labeling.component import error_labeling
from components.evaluation.component import evaluation
from components.ingest.component import ingest
from components.ppo.component import ppo
from components.preflight.component import preflight
from components.sft.component import sft
from pipelines.practice import practice
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
    "ablation",
)

PAPER = '{"preset":"tl-training"}'

# MAE masks turns whose call failed, PKT weighs key tokens, IRM is PPO on the reward. The overrides are laid over
# the run's own settings: rows without PKT have no key tokens, those with it the default reading, whatever
# sft_settings says. KFP takes a key called "name" for its own.
ARMS = [
    {
        "title": "none",
        "title_with_ppo": "IRM",
        "error_labeling": '{"mask_errors":false}',
        "sft": '{"key_tokens":"none"}',
    },
    {
        "title": "MAE",
        "title_with_ppo": "MAE & IRM",
        "error_labeling": '{"mask_errors":true}',
        "sft": '{"key_tokens":"none"}',
    },
    {
        "title": "PKT",
        "title_with_ppo": "PKT & IRM",
        "error_labeling": '{"mask_errors":false}',
        "sft": '{"key_tokens":"first_divergence"}',
    },
    {
        "title": "MAE & PKT",
        "title_with_ppo": "All",
        "error_labeling": '{"mask_errors":true}',
        "sft": '{"key_tokens":"first_divergence"}',
    },
]


@dsl.pipeline(name="tl-ablation", display_name="Whetstone: TL-Training's ablation")
def tl_ablation(
    questions: str,
    base_model: str = "hf://HuggingFaceTB/SmolLM2-135M-Instruct",
    tools_url: str = "http://whetstone-tools:8080",
    artifact_store: str = "",
    checkpoint_root: str = "",
    preflight_settings: str = PAPER,
    ingest_settings: str = PAPER,
    trace_generation_settings: str = PAPER,
    error_labeling_settings: str = PAPER,
    sft_settings: str = PAPER,
    ppo_settings: str = PAPER,
    evaluation_settings: str = PAPER,
    ablation_settings: str = PAPER,
    preflight_image: str = image("preflight"),
    ingest_image: str = image("ingest"),
    trace_generation_image: str = image("trace_generation"),
    error_labeling_image: str = image("error_labeling"),
    sft_image: str = image("sft"),
    ppo_image: str = image("ppo"),
    evaluation_image: str = image("evaluation"),
    ablation_image: str = image("ablation"),
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
    """Measure what each component of TL-Training does: eight trainings, one table.

    Args:
        questions: Files or URIs of trajectories, gold calls and questions with answers, comma separated.
        base_model: URI of the base model: hf://, s3://, demo:// or a folder.
        tools_url: Address of the tools service, http(s)://host:port.
        artifact_store: s3:// prefix for artifacts' payloads, content-addressed; empty leaves them to KFP.
        checkpoint_root: s3:// prefix for checkpoints, from which a retried stage resumes; empty keeps none.
        preflight_settings: JSON settings of preflight, for example {"preset":"tl-training"}.
        ingest_settings: JSON settings of ingest, for example {"preset":"tl-training"}.
        trace_generation_settings: JSON settings of trace generation, for example {"preset":"tl-training"}.
        error_labeling_settings: JSON settings of error labeling, for example {"preset":"tl-training"}.
        sft_settings: JSON settings of SFT, for example {"preset":"tl-training"}.
        ppo_settings: JSON settings of PPO, for example {"preset":"tl-training"}.
        evaluation_settings: JSON settings of evaluation, for example {"preset":"tl-training"}.
        ablation_settings: JSON settings of the table, for example {"preset":"tl-training"}.
        preflight_image: Image that runs preflight.
        ingest_image: Image that runs ingest.
        trace_generation_image: Image that runs trace generation.
        error_labeling_image: Image that runs error labeling.
        sft_image: Image that runs SFT.
        ppo_image: Image that runs PPO.
        evaluation_image: Image that runs the nine evaluations.
        ablation_image: Image that makes the table.
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
        publish_to="",
        settings=preflight_settings,
        ingest_settings=ingest_settings,
        trace_generation_settings=trace_generation_settings,
        error_labeling_settings=error_labeling_settings,
        sft_settings=sft_settings,
        ppo_settings=ppo_settings,
        evaluation_settings=evaluation_settings,
        ablation_settings=ablation_settings,
    )
    equip(checked, "Preflight", resources["preflight"], placement, image=preflight_image)
    checked.set_caching_options(False)  # endpoints and secrets change without any parameter changing

    ingested = ingest(questions=questions, settings=ingest_settings, artifact_store=artifact_store)
    ingested.after(checked)
    equip(ingested, "Ingest", resources["ingest"], placement, image=ingest_image)

    practised = practice(
        question_set=ingested.outputs["question_set"],
        shards=ingested.outputs["Output"],
        base_model=base_model,
        tools_url=tools_url,
        settings=trace_generation_settings,
        artifact_store=artifact_store,
        image=trace_generation_image,
        accelerators=trace_generation_accelerators,
        accelerator_type=accelerator_type,
        node_selector=node_selector,
        tolerations=tolerations,
        store_secret=store_secret,
        tools_secret=tools_secret,
        model_secret=model_secret,
    )

    base = evaluation(
        question_set=ingested.outputs["question_set"],
        base_model=base_model,
        tools_url=tools_url,
        settings=evaluation_settings,
        artifact_store=artifact_store,
        title="base model",
    )

    with dsl.ParallelFor(ARMS, name="arms") as arm:
        labeled = error_labeling(
            traces=practised.output,
            trajectories=ingested.outputs["trajectories"],
            settings=error_labeling_settings,
            artifact_store=artifact_store,
            overrides=arm.error_labeling,
        )
        tuned = sft(
            labeled=labeled.outputs["labeled"],
            base_model=base_model,
            settings=sft_settings,
            artifact_store=artifact_store,
            checkpoint_root=checkpoint_root,
            overrides=arm.sft,
        )
        without_ppo = evaluation(
            question_set=ingested.outputs["question_set"],
            base_model=base_model,
            tools_url=tools_url,
            settings=evaluation_settings,
            artifact_store=artifact_store,
            adapter=tuned.outputs["adapter"],
            title=arm.title,
        )
        improved = ppo(
            labeled=labeled.outputs["labeled"],
            base_model=base_model,
            settings=ppo_settings,
            artifact_store=artifact_store,
            checkpoint_root=checkpoint_root,
            initial=tuned.outputs["adapter"],
        )
        with_ppo = evaluation(
            question_set=ingested.outputs["question_set"],
            base_model=base_model,
            tools_url=tools_url,
            settings=evaluation_settings,
            artifact_store=artifact_store,
            adapter=improved.outputs["adapter"],
            title=arm.title_with_ppo,
        )
        equip(labeled, "Error labeling", resources["error_labeling"], placement, image=error_labeling_image)
        equip(tuned, "SFT", resources["sft"], placement, image=sft_image, accelerators=sft_accelerators)
        equip(improved, "PPO", resources["ppo"], placement, image=ppo_image, accelerators=ppo_accelerators)

    for task, name in (
        (base, "Evaluation of the base model"),
        (without_ppo, "Evaluation after SFT"),
        (with_ppo, "Evaluation after PPO"),
    ):
        equip(
            task,
            name,
            resources["evaluation"],
            placement,
            image=evaluation_image,
            accelerators=evaluation_accelerators,
        )

    gathered = ablation(
        base=base.outputs["evaluation"],
        without_ppo=dsl.Collected(without_ppo.outputs["evaluation"]),
        with_ppo=dsl.Collected(with_ppo.outputs["evaluation"]),
        sft_adapters=dsl.Collected(tuned.outputs["adapter"]),
        ppo_adapters=dsl.Collected(improved.outputs["adapter"]),
        settings=ablation_settings,
        artifact_store=artifact_store,
    )
    equip(gathered, "Table", resources["ablation"], placement, image=ablation_image)
