"""The parameters of a pipeline, said once: KFP reads them from a signature and a docstring, made here."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from kfp import dsl

from components.contracts.images import image
from components.contracts.methods import METHODS
from pipelines.resources import pipeline_config
from pipelines.tasks import Run

TITLES = {
    "trace_generation": "trace generation",
    "error_labeling": "error labeling",
    "preferences": "the preference pairs",
    "sft": "SFT",
    "dpo": "DPO",
    "ppo": "PPO",
    "mcts": "the search",
    "rounds": "the judge between rounds",
    "ablation": "the table",
    "regression": "the regression sets",
    "run_report": "the report on how the run ended",
}
ACCELERATED = {
    "trace_generation": "each trace generation shard",
    "sft": "each SFT",
    "dpo": "each DPO",
    "ppo": "each PPO",
    "mcts": "each search",
    "evaluation": "each evaluation",
    "regression": "each judgement on the regression sets",
}
METHOD = ("method", "sft", "Ways of training, comma separated: sft, dpo; the others hand their adapter on.")
KIND = (
    "kind",
    "masked_conversation",
    "What a preference pair holds, for DPO: response, conversation or masked_conversation.",
)
PUBLISH = (
    "publish_to",
    "",
    "s3:// prefix where the adapter is published when the gate opens; empty: nowhere.",
)

PUBLISHING = "publication"  # the stage that does it; it has no settings
ITEM = "loop-item-param"  # how KFP calls the items of a loop over constants
STAGES = "Stages"  # what people see of all of them together
REPORTING = "run_report"  # the last stage of every run, which has none either

Parameter = tuple[str, Any, str]  # name, default, description; all are texts


def methods_of(stages: Sequence[str]) -> Parameter:
    """The parameter `method` of a pipeline that trains in all ways for which it has a stage, unless told otherwise."""
    names = ",".join(name for name in METHODS if name in stages)
    told = (
        f"Ways of training, comma separated: of {names.replace(',', ', ')}; the others hand their adapter on."
    )
    return "method", names, told


def declared(
    name: str, display_name: str, stages: Sequence[str], *choices: Parameter, preset: str = ""
) -> Callable[[Callable[[Run], None]], Any]:
    """Make a KFP pipeline of a function that adds its tasks to a Run.

    stages: those with settings, in the order in which they run; each gets the parameters `<stage>_settings`,
    `<stage>_image` and, where it uses one, `<stage>_accelerators`. choices: further parameters; with PUBLISH comes
    the image of PUBLISHING. After them, whatever became of them, REPORTING runs.
    preset: what the settings' defaults name; empty leaves the stages' own defaults. What is made has `with_stages`,
    which gives the same pipeline with stages on demand.
    """

    def make(add_tasks: Callable[[Run], None]) -> Any:
        parameters, descriptions = _parameters(stages, choices, preset)

        def pipeline(*values: Any) -> None:
            run = Run(dict(zip(descriptions, values, strict=True)))
            with dsl.ExitHandler(run.report(display_name), name=STAGES):
                add_tasks(run)

        pipeline.__name__ = add_tasks.__name__
        pipeline.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        told = "\n".join(f"    {key}: {text}" for key, text in descriptions.items())
        pipeline.__doc__ = f"{inspect.getdoc(add_tasks)}\n\nArgs:\n{told}\n"
        in_kfp = dsl.pipeline(name=name, display_name=display_name, pipeline_config=pipeline_config())
        made = _without_items(in_kfp(pipeline))

        def with_stages(more: Sequence[str]) -> Any:
            return declared(name, display_name, (*stages, *more), *choices, preset=preset)(add_tasks)

        made.with_stages = with_stages
        return made

    return make


def _without_items(made: Any) -> Any:
    """The pipeline, its groups asking it for no item of the loops inside them.

    KFP 2.17 hands the parts of an item of a loop over constants to all groups around the loop, from outside, where
    nobody has them; what is inside gets them from the loop.
    """
    spec = made.pipeline_spec
    for task in spec.root.dag.tasks.values():
        given = task.inputs.parameters
        for name in [key for key in given if given[key].component_input_parameter.startswith(ITEM)]:
            del given[name]
            del spec.components[task.component_ref.name].input_definitions.parameters[name]
    return made


def _parameters(
    stages: Sequence[str], choices: Sequence[Parameter], preset: str
) -> tuple[list[inspect.Parameter], dict[str, str]]:
    settings = f'{{"preset":"{preset}"}}' if preset else "{}"
    images = [*stages, *([PUBLISHING] if PUBLISH in choices else []), REPORTING]
    texts: list[Parameter] = [
        (
            "questions",
            inspect.Parameter.empty,
            "Files or URIs of questions with their answers, and of trajectories.",
        ),
        (
            "base_model",
            "hf://HuggingFaceTB/SmolLM2-135M-Instruct",
            "URI of the base model: hf://, s3://, demo:// or a folder.",
        ),
        ("tools_url", "http://whetstone-tools:8080", "Address of the tools service, http(s)://host:port."),
        (
            "artifact_store",
            "",
            "s3:// prefix for artifacts' payloads, content-addressed; empty leaves them to KFP.",
        ),
        (
            "checkpoint_root",
            "",
            "s3:// prefix for checkpoints, from which a retried stage resumes; empty keeps none.",
        ),
        *choices,
        *((f"{one}_settings", settings, f"JSON settings of {_title(one)}.") for one in stages),
        *((f"{one}_image", image(one), f"Image that runs {_title(one)}.") for one in images),
        *(
            (f"{one}_accelerators", "0", f'Accelerators of {ACCELERATED[one]}, as text: "0", "1" ...')
            for one in stages
            if one in ACCELERATED
        ),
        ("accelerator_type", "nvidia.com/gpu", "Kubernetes resource name of the accelerators."),
    ]
    typed: list[tuple[str, Any, Any, str]] = [(name, str, default, told) for name, default, told in texts]
    labels, list_of = dict[str, str], list[dict[str, str]]
    typed += [
        (
            "node_selector",
            labels,
            {},
            "Node labels that every stage's pod asks for, a JSON object of strings.",
        ),
        ("tolerations", list_of, [], "Kubernetes tolerations of every stage's pod, a JSON list of objects."),
        (
            "store_secret",
            str,
            "whetstone-store",
            "Secret with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, AWS_DEFAULT_REGION; may be absent.",
        ),
        ("tools_secret", str, "whetstone-tools", "Secret with WHETSTONE_TOOLS_TOKEN; may be absent."),
        ("model_secret", str, "whetstone-model", "Secret with HF_TOKEN and OPENAI_API_KEY; may be absent."),
        ("registry_secret", str, "whetstone-registry", "Pull secret of the images' registry; may be absent."),
    ]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    made = [inspect.Parameter(name, kind, default=value, annotation=of) for name, of, value, _ in typed]
    return made, {name: told for name, _, _, told in typed}


def _title(stage: str) -> str:
    return TITLES.get(stage, stage)
