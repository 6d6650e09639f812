"""The trainer on the real model: exact at the first step, in every precision, and nothing frozen moves."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_ppo import frozen_weights

from helpers.adapters import top_layers
from helpers.eight_bit import in_bfloat16, lean
from helpers.feedback import prompt_collator, prompt_ids, prompts
from helpers.model import load_model, load_tokenizer
from helpers.ppo import PPOConfig, PPOTrainer
from helpers.reward import AdapterReward

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", params=["fp32", "bf16", "8bit"])
def updated(request):
    """A trainer on the real model after two updates of one step each, in uneven micro-batches, and what was frozen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COURSE_MODEL", raising=False)
        base, tokenizer = load_model(request.param).requires_grad_(False), load_tokenizer()
        adapters = LoraConfig(r=8, target_modules=["q_proj", "v_proj"], layers_to_transform=top_layers(base))
        model = get_peft_model(base, adapters)
        config = PPOConfig(
            batch_size=10, per_device_train_batch_size=4, response_length=12, num_ppo_epochs=1, learning_rate=1e-3,
            temperature=1.0, stop_token_id=tokenizer.eos_token_id,
        )  # fmt: skip
        trainer = PPOTrainer(
            config, model, tokenizer=tokenizer, dataset=prompts("train", tokenizer, 10),
            data_collator=prompt_collator(tokenizer), reward=AdapterReward(model),
        )  # fmt: skip
        before = frozen_weights(model)
        trainer.train(2)
        yield trainer, before


def test_real_first_step_has_ratio_1_and_kl_0(updated):
    first, _ = updated[0].history
    assert (first["val/ratio_min"], first["val/ratio_max"]) == pytest.approx((1, 1), abs=1e-4)
    assert first["objective/kl_k3"] == 0


def test_real_step_of_a_policy_that_has_moved_has_ratio_1(updated):
    _, second = updated[0].history
    assert (second["val/ratio_min"], second["val/ratio_max"]) == pytest.approx((1, 1), abs=1e-4)
    assert second["objective/kl_k3"] > 0


def test_real_base_and_reward_adapter_are_bit_identical_after_training(updated):
    trainer, before = updated
    after = frozen_weights(trainer.model)
    assert after.keys() == before.keys() and all(torch.equal(after[name], before[name]) for name in before)


def test_real_trained_weights_are_float32_and_finite(updated):
    assert {p.dtype for p in updated[0].trained} == {torch.float32}
    assert all(p.isfinite().all() for p in updated[0].trained)


def test_real_distribution_that_is_sampled_from_is_the_policys_to_two_thousandths_of_a_nat(updated):
    """8-bit layers write in bfloat16; every token of the vocabulary counts, so no luck is in it."""
    backbone = updated[0].backbone
    rows = [{"input_ids": ids} for ids in prompt_ids("test", load_tokenizer(), 16)]
    batch = load_tokenizer().pad(rows, return_tensors="pt")

    def logprobs():
        last = backbone.decoder(**batch).last_hidden_state[:, -1]
        return backbone.output_layer(last.to(backbone.output_layer.weight.dtype)).double().log_softmax(-1)

    with torch.no_grad():
        policy = logprobs()
        with lean(backbone.model), in_bfloat16(backbone.decoder):
            written = logprobs()
    assert (written.exp() * (written - policy)).sum(-1).mean() < 2e-3
