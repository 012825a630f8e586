"""The TRL arm of the PPO benchmark: a script for the environment with trl 1.11, importing nothing of ours.

    python ppo_trl.py <job.json>

job: folder of the model, prompts (lists of ids of one length), response (tokens), steps, lora_rank. Prints one
JSON line with the CPU seconds of each step.
"""

import copy
import json
import sys
import time
import types
from pathlib import Path
from typing import Any


def main() -> None:
    """Run TRL's experimental PPOTrainer as its documentation has it, with LoRA on policy and value model."""
    job = json.loads(Path(sys.argv[1]).read_text())
    import torch
    from datasets import Dataset
    from peft import LoraConfig, inject_adapter_in_model
    from transformers import (
        AutoModelForCausalLM,
        AutoModelForSequenceClassification,
        AutoTokenizer,
        LlamaConfig,
        LlamaForSequenceClassification,
        TrainerCallback,
    )
    from trl.experimental.ppo import PPOConfig, PPOTrainer

    torch.set_num_threads(1)
    torch.manual_seed(0)
    lora = LoraConfig(r=job["lora_rank"], lora_alpha=16, target_modules=["q_proj", "v_proj"])
    policy = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    value = AutoModelForSequenceClassification.from_pretrained(
        job["model"], dtype=torch.float32, num_labels=1
    )
    value = inject_adapter_in_model(copy.deepcopy(lora), value)
    value.score.requires_grad_(True)
    # A reward that costs next to nothing: ours is a function of the text.
    configure: Any = LlamaConfig
    small = configure(
        vocab_size=policy.config.vocab_size,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_labels=1,
        pad_token_id=0,
    )
    reward: Any = LlamaForSequenceClassification
    batch = len(job["prompts"]) // job["steps"]
    arguments = PPOConfig(
        output_dir=job["work"],
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=1,
        num_mini_batches=1,
        num_ppo_epochs=1,
        total_episodes=len(job["prompts"]),
        local_rollout_forward_batch_size=batch,
        response_length=job["response"],
        temperature=1.0,
        kl_coef=0.4,
        learning_rate=1e-5,
        num_sample_generations=0,
        gradient_checkpointing=False,  # on by default; a processor has no need of it
        bf16=False,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    seconds: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        """CPU seconds of each step."""

        begun = 0.0

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.begun = time.process_time()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            now = time.process_time()
            seconds.append(now - self.begun)
            self.begun = now

    trainer = PPOTrainer(
        args=arguments,
        processing_class=AutoTokenizer.from_pretrained(job["model"]),
        model=policy,
        ref_model=None,
        reward_model=reward(small),
        value_model=value,
        train_dataset=Dataset.from_dict({"input_ids": job["prompts"]}),
        eval_dataset=Dataset.from_dict({"input_ids": job["prompts"][:1]}),
        callbacks=[Clock()],
        peft_config=lora,
    )
    trainer.save_model = types.MethodType(lambda *_, **__: None, trainer)
    trainer.train()
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
