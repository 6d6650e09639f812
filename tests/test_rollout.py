"""What is written, how it ends, and what every role says about it."""

import pytest
import torch
from conftest import letter_tokenizer
from peft import LoraConfig
from tiny_ppo import EOS, PAD, PRECISIONS, PROMPTS, gpt2, llama, policy_of, tokenizer, uneven_rollout, uneven_tokens
from torch import nn
from transformers import AddedToken

from helpers import rollout as module
from helpers.adapters import reference
from helpers.backbone import Backbone, head_values, switch_dropout_off, whole_logprobs
from helpers.rollout import Limits, Written, _sampled, decoded, generate, judged, sample_table, text_mask

BASES = {"llama": llama, "gpt2": gpt2}


def padded_prompts() -> tuple[torch.Tensor, torch.Tensor]:
    tokens, mask = uneven_tokens()
    return tokens[:, :5], mask[:, :5].long()


def written(backbone: Backbone, stop: int | None = None, temperature: float = 1.0, response: int = 8):
    switch_dropout_off(backbone.model)
    uniforms = torch.rand(4, response, generator=torch.Generator().manual_seed(3))
    return generate(backbone, *padded_prompts(), uniforms, Limits(temperature, stop, PAD))


@pytest.fixture
def backbone() -> Backbone:
    return Backbone(policy_of(llama(), moved=0.5))


@pytest.fixture
def head() -> nn.Linear:
    torch.manual_seed(2)
    return nn.Linear(64, 1)


@pytest.mark.parametrize("base", BASES)
def test_generate_samples_each_token_from_the_whole_forward_of_what_came_before(base):
    backbone = Backbone(policy_of(BASES[base](), moved=0.5))
    uniforms = torch.rand(4, 8, generator=torch.Generator().manual_seed(3))
    tokens, mask = written(backbone, temperature=0.7)
    positions = (mask.long().cumsum(1) - 1).clamp_min(0)
    with torch.no_grad():
        logits = backbone.model(tokens, attention_mask=mask.long(), position_ids=positions).logits[:, 4:-1]
    cumulative = (logits.double() / 0.7).softmax(-1).cumsum(-1)
    due = (cumulative > uniforms[..., None]).int().argmax(-1)
    assert torch.equal(tokens[:, 5:], due)


def test_sampling_draws_each_token_as_often_as_its_probability():
    """Random numbers on an even grid: the share of each token is its probability to one step of the grid."""
    logits = torch.tensor([[0.0, 1.0, -torch.inf, 2.0]]).expand(1000, 4)
    drawn = _sampled(logits, (torch.arange(1000) + 0.5) / 1000)
    shares = torch.bincount(drawn, minlength=4) / 1000
    torch.testing.assert_close(shares, logits[0].softmax(0), rtol=0, atol=1e-3)


@pytest.mark.parametrize(("uniform", "due"), [(0.0, 1), (1 - 2**-24, 48_000)])
def test_sampling_at_the_ends_never_draws_a_token_of_probability_0(uniform, due):
    logits = torch.zeros(1, 49_152)
    logits[:, 0] = logits[:, 48_001:] = -torch.inf
    assert _sampled(logits, torch.tensor([uniform])).item() == due


def test_token_sampled_from_what_is_no_number_is_one_of_the_vocabulary():
    assert _sampled(torch.full((2, 7), torch.nan), torch.tensor([0.0, 0.5])).tolist() == [6, 6]


def test_generate_of_the_same_random_numbers_writes_the_same(backbone):
    assert torch.equal(written(backbone)[0], written(backbone)[0])


def test_response_ends_with_its_end_token_and_is_padded_behind_it(backbone):
    free = written(backbone)[0][:, 5:]
    stop = free[1, 2].item()
    tokens, mask = (x[1, 5:] for x in written(backbone, stop))
    end = free[1].tolist().index(stop) + 1
    assert tokens.tolist() == free[1, :end].tolist() + [PAD] * (8 - end)
    assert mask.tolist() == [True] * end + [False] * (8 - end)


def test_end_token_in_a_prompt_does_not_end_the_response(backbone):
    tokens, mask = padded_prompts()
    tokens[0, 2] = EOS
    limits = Limits(1.0, EOS, PAD)
    _, mask = generate(backbone, tokens, mask, torch.full((4, 3), 0.5), limits)
    assert mask[0, 5]


def test_padding_token_that_the_policy_writes_itself_is_a_real_one():
    base = llama(tie_word_embeddings=False)
    base.lm_head.weight.data.zero_()  # every token is as likely
    prompts, mask = padded_prompts()
    uniforms = torch.full((4, 3), 1e-6)  # draws the first token: padding
    tokens, mask = generate(Backbone(policy_of(base)), prompts, mask, uniforms, Limits(1.0, EOS, PAD))
    assert not tokens[:, 5:].any() and mask[:, 5:].all()


def test_rows_that_ended_do_not_change_the_others(backbone):
    free = written(backbone)[0]
    stop = free[1, 5].item()
    tokens, mask = written(backbone, stop)
    assert torch.equal(tokens[mask], free[mask])


def test_judged_logprobs_and_values_are_those_of_a_whole_forward(backbone, head):
    rollout = uneven_rollout(backbone, head)
    real, (tokens, mask) = rollout.response_mask, uneven_tokens()
    positions = (mask.long().cumsum(1) - 1).clamp_min(0)
    with torch.no_grad():
        hidden = backbone.decoder(tokens, attention_mask=mask.long(), position_ids=positions).last_hidden_state
    due = whole_logprobs(backbone.model, tokens, mask, 6, 0.7)
    torch.testing.assert_close(rollout.logprobs[real], due[real])
    torch.testing.assert_close(rollout.values[real], head_values(head, hidden, 6)[real])


def test_judged_reference_is_the_model_without_its_adapters(backbone, head):
    rollout = uneven_rollout(backbone, head)
    with reference(backbone.model) as original:
        due = whole_logprobs(original, *uneven_tokens(), 6, 0.7)
    real = rollout.response_mask
    torch.testing.assert_close(rollout.reference_logprobs[real], due[real])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_policy_at_its_start_has_the_logprobs_of_the_reference(precision, tmp_path, head):
    rollout = uneven_rollout(Backbone(policy_of(llama(precision, tmp_path))), head)
    assert torch.equal(rollout.logprobs, rollout.reference_logprobs)


@pytest.mark.parametrize("forward_batch", [1, 2, 3, 4, 64])
def test_batch_of_the_forward_changes_nothing(backbone, head, forward_batch):
    wrote, scores = Written(*uneven_tokens(), 6, 0.7), torch.tensor([1.0, -2.0, 0.5, 3.0])
    found, due = (judged(backbone, head, wrote, scores, batch) for batch in (forward_batch, 4))
    for name in ("logprobs", "reference_logprobs", "values"):
        real = due.response_mask
        torch.testing.assert_close(getattr(found, name)[real], getattr(due, name)[real], rtol=1e-4, atol=1e-5)
    assert torch.equal(found.scores, due.scores)


@pytest.mark.parametrize(("length", "due"), [(10, [2, 2]), (11, [2, 2]), (22, [4]), (33, [4])])
def test_trunk_reads_short_texts_more_at_once_and_long_ones_as_the_top_does(length, due, backbone, head, monkeypatch):
    """Four texts of 11 tokens, two a pass of the top; as many as have the tokens of two texts of `length`."""
    monkeypatch.setattr(module, "TRUNK_TEXT", length)
    sizes = []
    backbone.layers[0].mlp.register_forward_pre_hook(lambda layer, inputs: sizes.append(len(inputs[0])))
    judged(backbone, head, Written(*uneven_tokens(), 6, 0.7), torch.zeros(4), 2)
    assert sizes == due


def test_scores_read_off_the_backbone_keep_the_order_of_the_rows(backbone, head):
    wrote = Written(*uneven_tokens(), 6, 0.7)
    assert judged(backbone, head, wrote, lambda states, rows: rows.float(), 3).scores.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("other", [1, 50, 102])
def test_tokens_behind_the_end_change_nothing(backbone, head, other):
    tokens, mask = uneven_tokens()
    changed = torch.where(mask | (torch.arange(11) < 5), tokens, other)
    due, found = (judged(backbone, head, Written(t, mask, 6, 0.7), torch.zeros(4), 4) for t in (tokens, changed))
    real = due.response_mask
    for name in ("logprobs", "reference_logprobs", "values"):
        assert torch.equal(getattr(found, name)[real], getattr(due, name)[real])


def test_rollout_holds_no_graph(backbone, head):
    rollout = uneven_rollout(backbone, head)
    held = (rollout.logprobs, rollout.reference_logprobs, rollout.values, rollout.scores, rollout.states.hidden)
    assert not any(tensor.requires_grad for tensor in held)


def test_judging_leaves_the_policy_on_and_what_is_trainable(backbone, head):
    backbone.model.add_adapter("reward", LoraConfig(r=2, target_modules=["q_proj"]))
    backbone.model.base_model.set_adapter("default")
    before = {name: p.requires_grad for name, p in backbone.model.named_parameters()}
    uneven_rollout(backbone, head)
    assert {name: p.requires_grad for name, p in backbone.model.named_parameters()} == before
    assert backbone.model.get_base_model().model.layers[1].self_attn.q_proj.active_adapters == ["default"]


def test_decoded_texts_are_those_of_the_real_tokens():
    reads = letter_tokenizer(pad_token="<unk>")
    tokens = reads(["cat", "is"], padding=True, return_tensors="pt")["input_ids"]
    assert decoded(reads, tokens, torch.tensor([[True, True, True], [False, True, False]])) == ["cat", "s"]


def test_text_is_what_decoding_keeps():
    """Every token by itself: the named special ones, one that was only added as special, and one added as a word."""
    letters = letter_tokenizer()
    letters.add_special_tokens({"eos_token": "<end>"})
    letters.add_tokens([AddedToken("<turn>", special=True), AddedToken("<word>", special=False)])
    every = torch.arange(len(letters))[:, None]
    kept = text_mask(letters, every, torch.ones_like(every))
    assert kept[:, 0].tolist() == [text != "" for text in decoded(letters, every, torch.ones_like(every).bool())]
    assert (~kept).sum() > 1 and not text_mask(letters, every, torch.zeros_like(every)).any()


def test_sample_table_has_prompt_response_reward_and_kl_of_each_row(backbone, head):
    rollout = uneven_rollout(backbone, head)
    lines = sample_table(tokenizer(), rollout, rows=2).splitlines()
    drift = (rollout.logprobs - rollout.reference_logprobs)[1, :2].sum().item()
    prompt, response = (tokenizer().decode(ids) for ids in (PROMPTS[1], [30]))
    assert len(lines) == 2 and lines[1] == f" -2.00 reward {drift:6.2f} KL | {prompt} | {response}"
