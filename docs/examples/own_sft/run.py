import torch

from components.contracts.jsonl import read_records
from components.contracts.pages import write_page
from components.contracts.records import LabeledTrace
from components.policy.card import make_card, write_card
from components.policy.load import load_policy
from components.policy.new_adapter import add_new_adapter
from components.policy.save import save_weights
from components.sft.dataset import prepare_examples
from components.storage import open_input, write_output


def run(labeled, base_model, artifact_store, adapter, metrics, report, **others):
    traces = open_input(labeled.path, "labeled_traces/1", artifact_store).path("traces.jsonl")
    records = list(read_records(traces, LabeledTrace))
    policy = load_policy(base_model, call_format=records[0].call_format)
    lora = {"rank": 4, "alpha": 8, "dropout": 0.0, "targets": ["q_proj", "v_proj"], "seed": 0}
    model = add_new_adapter(policy.model, **lora, parameter="own_sft")
    optimizer = torch.optim.SGD([one for one in model.parameters() if one.requires_grad], lr=0.1)
    for example in prepare_examples(records, policy.chat, max_tokens=2048).examples:
        ids, weights = torch.tensor([example.ids]), torch.tensor(example.weights)[1:]
        logprobs = model(input_ids=ids).logits[0, :-1].float().log_softmax(-1)
        loss = -(logprobs.gather(1, ids[0, 1:, None])[:, 0] * weights).sum() / weights.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        metrics.log_metric("loss", loss.item())
    with write_output(adapter.path, "adapter/1", artifact_store) as writer:
        save_weights(model, policy.tokenizer, writer.folder, base_model)
        write_card(make_card(policy.chat, base_model, settings=lora, lineage={}), writer.folder)
    write_page(report.path, f"<p>Trained on {len(records)} traces by an image of our own.</p>")
