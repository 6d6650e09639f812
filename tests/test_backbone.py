"""Trunk and top are the whole model, log-probabilities in chunks are those of full logits, and so are gradients."""

from functools import partial

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_ppo import PRECISIONS, config_of, gpt2, llama, other, policy_of, trainer_of, uneven_tokens
from torch.nn import functional

from helpers import backbone as module
from helpers.adapters import reference
from helpers.backbone import Backbone, full_batches, head_values, switch_dropout_off, whole_logprobs
from helpers.eight_bit import lean
from helpers.layers import lean_layers
from helpers.settings import refuse_other_function

OTHERS = ("qwen3", "gemma3_text", "smollm3", "olmo2", "phi3", "gpt_neox")
BASES = {"llama": llama, "gpt2": gpt2, **{family: partial(other, family) for family in OTHERS}}
LAYERS = {"all": [0, 1], "top": [1]}


def plain_logprobs(model, temperature: float = 0.7) -> torch.Tensor:
    """Of the uneven responses, by one whole forward and full logits."""
    tokens, mask = uneven_tokens()
    positions = (mask.long().cumsum(1) - 1).clamp_min(0)
    logits = model(tokens, attention_mask=mask.long(), position_ids=positions).logits[:, 4:-1].float()
    return (logits / temperature).log_softmax(-1).gather(-1, tokens[:, 5:, None]).squeeze(-1)


def split_logprobs(backbone: Backbone, temperature: float = 0.7) -> torch.Tensor:
    tokens, mask = uneven_tokens()
    hidden = backbone.top(backbone.trunk(tokens, mask.long()))
    return backbone.response_logprobs(hidden, tokens[:, 5:], temperature)


def real(logprobs: torch.Tensor) -> torch.Tensor:
    return logprobs[uneven_tokens()[1][:, 5:]]


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("base", BASES)
def test_split_forward_is_the_whole_one(base, layers):
    policy = policy_of(BASES[base](), moved=0.5, layers_to_transform=LAYERS[layers])
    switch_dropout_off(policy)
    torch.testing.assert_close(real(split_logprobs(Backbone(policy))), real(plain_logprobs(policy)))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_split_forward_has_the_hidden_states_of_the_whole_one_bit_for_bit(precision, tmp_path):
    backbone = Backbone(policy_of(llama(precision, tmp_path), moved=0.5))
    tokens, mask = uneven_tokens()
    positions = (mask.long().cumsum(1) - 1).clamp_min(0)
    with torch.no_grad():
        due = backbone.decoder(tokens, attention_mask=mask.long(), position_ids=positions).last_hidden_state
        assert torch.equal(backbone.top(backbone.trunk(tokens, mask.long()))[mask], due[mask])


@pytest.mark.parametrize("again", ["nothing", "as transformers does it", "long texts"])
@pytest.mark.parametrize("base", BASES)
def test_gradient_of_chunks_is_that_of_a_plain_pass(base, again, monkeypatch):
    policy = policy_of(BASES[base](), moved=0.5, layers_to_transform=[0, 1])
    switch_dropout_off(policy)
    trained = [p for p in policy.parameters() if p.requires_grad]
    weights = torch.linspace(-1, 2, 13)
    due = torch.autograd.grad(real(plain_logprobs(policy)) @ weights, trained)
    if again == "as transformers does it":
        policy.get_base_model().gradient_checkpointing_enable()
    monkeypatch.setattr(module, "LONG_TEXT", 10 if again == "long texts" else 11)
    monkeypatch.setattr(module, "CHUNK_LOGITS", 50)
    found = torch.autograd.grad(real(split_logprobs(Backbone(policy))) @ weights, trained)
    assert all((a - b).norm() < 2e-5 * b.norm() for a, b in zip(found, due, strict=True))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_gradient_of_long_texts_is_that_of_short_ones_to_the_bit(precision, tmp_path, monkeypatch):
    backbone = Backbone(policy_of(llama(precision, tmp_path), moved=0.5, layers_to_transform=[0]))
    trained, found = [p for p in backbone.model.parameters() if p.requires_grad], []
    for length in (11, 10):
        monkeypatch.setattr(module, "LONG_TEXT", length)
        with lean(backbone.model), lean_layers(backbone.model):
            found.append(torch.autograd.grad(real(split_logprobs(backbone)).square().sum(), trained))
    assert all(torch.equal(mine, due) and due.any() for mine, due in zip(*found, strict=True))


@pytest.mark.parametrize(
    ("length", "gradients", "again"), [(11, True, 0), (10, True, 1), (6, True, 2), (5, True, 3), (1, False, 0)]
)
@pytest.mark.parametrize("transformers", [False, True])
def test_of_longer_texts_more_of_the_lower_layers_are_computed_again_and_none_twice(
    transformers, length, gradients, again, monkeypatch
):
    """Texts of 11 tokens; as many of four adapted layers are kept whole as would keep no more of texts of `length`."""
    monkeypatch.setattr(module, "LONG_TEXT", length)
    backbone = Backbone(policy_of(llama(num_hidden_layers=5), layers_to_transform=[1, 2, 3, 4]))
    if transformers:
        backbone.model.get_base_model().gradient_checkpointing_enable()
        again = 4 * gradients
    seen = []
    for number, layer in enumerate(backbone.layers):
        layer.self_attn.register_forward_pre_hook(lambda *_, number=number: seen.append(number))
    with torch.set_grad_enabled(gradients):
        logprobs = split_logprobs(backbone)
    assert seen == [0, 1, 2, 3, 4]
    if gradients:
        logprobs.sum().backward()
    assert sorted(seen[5:]) == [1, 2, 3, 4][:again]


def test_layers_that_only_a_frozen_adapter_touches_do_not_count(monkeypatch):
    """They keep nothing, so that of the two that are trained one is computed again, as without the frozen adapter."""
    monkeypatch.setattr(module, "LONG_TEXT", 6)
    policy, seen = policy_of(llama(num_hidden_layers=5), layers_to_transform=[3, 4]), []
    policy.add_adapter("start", LoraConfig(r=4, target_modules=["q_proj"]))
    policy.set_adapter("default")
    backbone = Backbone(policy, "start")
    for number, layer in enumerate(backbone.layers):
        layer.self_attn.register_forward_pre_hook(lambda *_, number=number: seen.append(number))
    split_logprobs(backbone).sum().backward()
    assert backbone.first_adapted == 0 and seen == [0, 1, 2, 3, 4, 3]


@pytest.mark.parametrize("slices", [1, 4, 30])
def test_gradient_of_token_logprobs_is_that_of_autograd(slices, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_LOGITS", 150 * 30 // slices)
    torch.manual_seed(0)
    hidden, weight = torch.randn(150, 8, requires_grad=True), torch.randn(30, 8)
    tokens, incoming = torch.randint(30, (150,)), torch.randn(150)
    due = functional.log_softmax(hidden @ weight.T * 1.5, -1).gather(1, tokens[:, None]).squeeze(1)
    found = module._TokenLogprobs.apply(hidden, weight, tokens, 1.5)
    torch.testing.assert_close(found, due)
    grads = [torch.autograd.grad(logprobs, hidden, incoming)[0] for logprobs in (found, due)]
    torch.testing.assert_close(*grads)


def test_token_logprobs_stay_finite_where_logits_are_far_apart(monkeypatch):
    monkeypatch.setattr(module, "CHUNK_LOGITS", 2 * 3)
    weight = torch.tensor([-300.0, 0.0, 200.0, -1e4, 300.0, 100.0, -200.0, 299.0])[:, None]
    hidden, tokens = torch.tensor([[1.0], [-1.0]], requires_grad=True), torch.tensor([7, 3])
    found = module._TokenLogprobs.apply(hidden, weight, tokens, 1.0)
    due = functional.log_softmax((hidden @ weight.T).double(), -1).gather(1, tokens[:, None]).squeeze(1)
    torch.testing.assert_close(found, due.float())


def test_logits_of_no_more_than_a_chunk_exist_at_once(monkeypatch):
    policy, sizes, original = policy_of(llama()), [], torch.Tensor.amax
    rows, vocabulary = 4 * 6, policy.config.vocab_size
    monkeypatch.setattr(module, "CHUNK_LOGITS", 7 * rows)
    monkeypatch.setattr(torch.Tensor, "amax", lambda t, *a, **k: sizes.append(t.numel()) or original(t, *a, **k))
    split_logprobs(Backbone(policy))
    assert sum(sizes) == rows * vocabulary and max(sizes) == 7 * rows


@pytest.mark.parametrize("chosen", ["slice", "index"])
@pytest.mark.parametrize("base", BASES)
def test_rows_of_the_states_are_those_of_the_batch(base, chosen):
    """The batch is as large as the sequences are long, so that a dimension taken for the other would show."""
    tokens, mask = (torch.cat([x, x.roll(1, 0), x[:3]])[:11] for x in uneven_tokens())
    assert tokens.shape == (11, 11)
    backbone = Backbone(policy_of(BASES[base](), moved=0.5))
    switch_dropout_off(backbone.model)
    rows = slice(3, 7) if chosen == "slice" else torch.tensor([9, 0, 4])
    with torch.no_grad():
        states = backbone.trunk(tokens, mask.long())
        found, due = backbone.top(states.rows(rows)), backbone.top(states)[rows]
    torch.testing.assert_close(found[mask[rows]], due[mask[rows]])


@pytest.mark.parametrize("rows", [1, 4, 5, 11, 12])
@pytest.mark.parametrize("base", BASES)
def test_trunk_in_parts_is_the_whole_one(base, rows):
    """The batch is as large as the sequences are long here, too; one text alone has no padding."""
    tokens, mask = (torch.cat([x, x.roll(1, 0), x[:3]])[:11] for x in uneven_tokens())
    backbone, sizes = Backbone(policy_of(gpt2() if base == "gpt2" else BASES[base](num_hidden_layers=3))), []
    switch_dropout_off(backbone.model)
    positions = (mask.long().cumsum(1) - 1).clamp_min(0)
    inputs = {"attention_mask": mask.long(), "position_ids": positions, "output_hidden_states": True}
    due = backbone.decoder(tokens, **inputs).hidden_states[2]
    backbone.layers[1].mlp.register_forward_pre_hook(lambda layer, inputs: sizes.append(len(inputs[0])))
    found = backbone.trunk(tokens, mask.long(), rows)
    torch.testing.assert_close(found.hidden[mask], due[mask], atol=1e-3, rtol=1e-3)  # two threads round otherwise
    assert sizes == [min(rows, 11 - start) for start in range(0, 11, rows)]
    assert all(arguments["attention_mask"].shape[0] == 11 for arguments in found.arguments.values())


@pytest.mark.parametrize("base", BASES)
def test_left_padding_changes_nothing(base):
    policy = policy_of(BASES[base](), moved=0.5)
    switch_dropout_off(policy)
    backbone = Backbone(policy)
    tokens, mask = uneven_tokens()
    with torch.no_grad():
        alone = backbone.top(backbone.trunk(tokens[1:2, 3:], mask[1:2, 3:].long()))
        padded = backbone.top(backbone.trunk(tokens, mask.long()))[1:2, 3:]
    torch.testing.assert_close(padded[mask[1:2, 3:]], alone[mask[1:2, 3:]])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_reference_is_the_base_model(precision, tmp_path):
    base, (tokens, mask) = llama(precision, tmp_path), uneven_tokens()
    due = whole_logprobs(base, tokens, mask, 6, 0.7)
    backbone = Backbone(policy_of(base, moved=0.5))
    found = backbone.reference_logprobs(backbone.trunk(tokens, mask.long()), tokens, mask, 6, 0.7)
    assert torch.equal(real(found), real(due)) and not torch.allclose(real(found), real(split_logprobs(backbone)))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_temperature_divides_the_logits_of_the_reference_too(temperature):
    policy, (tokens, mask) = policy_of(llama(), moved=0.5), uneven_tokens()
    backbone = Backbone(policy)
    found = backbone.reference_logprobs(backbone.trunk(tokens, mask.long()), tokens, mask, 6, temperature)
    with torch.no_grad(), reference(policy):
        due = plain_logprobs(policy, temperature)
    torch.testing.assert_close(real(found), real(due))


def test_given_reference_is_read_as_it_is():
    other, (tokens, mask) = llama(seed=7), uneven_tokens()
    backbone = Backbone(policy_of(llama(), moved=0.5), other)
    found = backbone.reference_logprobs(backbone.trunk(tokens, mask.long()), tokens, mask, 6, 0.7)
    torch.testing.assert_close(real(found), real(plain_logprobs(other)))


@pytest.mark.parametrize("trainable", [True, False])
def test_adapter_is_on_inside_and_everything_is_as_before_outside(trainable):
    policy = policy_of(llama(), moved=0.5)
    policy.add_adapter("frozen", LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    policy.set_adapter("default", inference_mode=not trainable)
    backbone, before = Backbone(policy), {name: p.requires_grad for name, p in policy.named_parameters()}
    outside = split_logprobs(backbone)
    with backbone.adapter("frozen"):
        inside = split_logprobs(backbone)
    assert {name: p.requires_grad for name, p in policy.named_parameters()} == before
    assert torch.equal(split_logprobs(backbone), outside) and not torch.allclose(inside, outside)


@pytest.mark.parametrize(("layers", "due"), [([0, 1], 0), ([1], 1)])
def test_trunk_ends_below_the_first_layer_that_any_adapter_touches(layers, due):
    assert Backbone(policy_of(llama(), layers_to_transform=layers)).first_adapted == due


def test_trunk_ends_below_the_adapter_of_another_role():
    policy = policy_of(llama())
    policy.add_adapter("reward", LoraConfig(r=2, target_modules=["q_proj"], layers_to_transform=[0]))
    assert Backbone(policy).first_adapted == 0


@pytest.mark.parametrize("target", ["lm_head", "embed_tokens"])
def test_adapter_outside_the_layers_is_refused(target):
    policy = get_peft_model(llama(tie_word_embeddings=False), LoraConfig(target_modules=["q_proj", target]))
    with pytest.raises(ValueError, match=rf"target_modules: .*{target}.* adapts what is no layer"):
        Backbone(policy)


def test_model_whose_logits_have_a_bias_is_refused():
    base = llama()
    base.lm_head.register_forward_hook(lambda layer, inputs, logits: logits + 5)
    tokens, mask = uneven_tokens()
    with pytest.raises(ValueError, match="a LlamaForCausalLM does more than embedding, layers, norm"):
        refuse_other_function(Backbone(policy_of(base)), tokens[:, :5], mask[:, :5].long())


def flexible():
    """It is given a mask that is no tensor."""
    base = llama()
    base.set_attn_implementation("flex_attention")
    return base


ANOTHER_FUNCTION = {  # what the trainer would compute of it, if it were not refused
    "a cap of its logits": (lambda: other("gemma2"), "a Gemma2ForCausalLM does more than"),
    "a scale of its logits": (lambda: other("granite", logits_scaling=1.01), "a GraniteForCausalLM does more than"),
    "positions by head": (lambda: other("bloom"), "a BloomForCausalLM cannot be run layer by layer"),
    "a mask of its own": (flexible, "a LlamaForCausalLM cannot be run layer by layer"),
    "a random router": (lambda: other("mixtral", router_jitter_noise=0.01), "two passes of this MixtralForCausalLM"),
}


@pytest.mark.parametrize("what", ANOTHER_FUNCTION)
def test_policy_that_would_be_trained_as_another_function_is_refused(what):
    base, words = ANOTHER_FUNCTION[what]
    with pytest.raises(ValueError, match=f"model: {words}"):
        trainer_of(policy_of(base()))


@pytest.mark.parametrize("what", ["a cap of its logits", "a scale of its logits", "a random router"])
def test_given_reference_that_would_be_another_function_is_refused(what):
    (base, words), said = ANOTHER_FUNCTION[what], "nothing"
    try:
        trainer_of(policy_of(llama()), ref_model=base())
    except ValueError as error:
        said = str(error)
    assert said.startswith(f"ref_model: {words}")


def test_policy_whose_logits_are_no_numbers_is_refused():
    base = llama()
    base.model.norm.weight.data.fill_(torch.nan)
    with pytest.raises(ValueError, match=r"model: the logits of this LlamaForCausalLM are no numbers, .* weights anew"):
        trainer_of(policy_of(base))


def test_policy_that_overflows_in_float16_is_refused_and_8bit_named():
    base = llama("fp16")
    base.model.norm.weight.data.fill_(6e4)
    with pytest.raises(ValueError, match=r"are no numbers, or infinite\. Load it in 8-bit: float16 ends at 65,504"):
        trainer_of(policy_of(base))


@pytest.mark.parametrize("name", ["residual_dropout", "attn_dropout", "layerdrop"])
def test_dropout_that_a_layer_keeps_as_a_number_is_switched_off_whatever_its_name(name):
    layer = torch.nn.Module()
    setattr(layer, name, 0.5)
    switch_dropout_off(layer)
    assert getattr(layer, name) == 0


@pytest.mark.parametrize("missing", ["layers", "norm"])
def test_model_without_a_part_that_the_trainer_knows_is_refused_by_name(missing):
    policy = policy_of(llama())
    decoder = policy.get_base_model().model
    decoder.another_name = getattr(decoder, missing)
    delattr(decoder, missing)
    with pytest.raises(ValueError, match=f"a LlamaModel has none of {missing}, "):
        Backbone(policy)


@pytest.mark.parametrize("family", OTHERS)
def test_other_architectures_start_at_kl_0_and_ratio_1_and_move_away(family):
    history = trainer_of(policy_of(other(family)), config_of(num_ppo_epochs=1)).train(2)
    assert history[0]["objective/kl"] == pytest.approx(0, abs=1e-5)
    assert history[0]["val/ratio_min"] == history[0]["val/ratio_max"] == pytest.approx(1, abs=1e-5)
    assert history[1]["objective/kl"] != pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("base", BASES)
def test_dropout_is_switched_off_wherever_it_is(base):
    policy = policy_of(BASES[base](), moved=0.5, lora_dropout=0.5)
    for layer in policy.modules():
        if hasattr(layer, "attention_dropout"):
            layer.attention_dropout = 0.5
    assert not torch.equal(plain_logprobs(policy), plain_logprobs(policy))
    switch_dropout_off(policy)
    assert torch.equal(plain_logprobs(policy), plain_logprobs(policy))


def test_value_before_a_token_does_not_see_it():
    tokens, mask = uneven_tokens()
    backbone, head = Backbone(policy_of(llama(), moved=0.5)), torch.nn.Linear(64, 1)
    changed = tokens.clone()
    changed[0, 8] = 99
    values = [head_values(head, backbone.top(backbone.trunk(t, mask.long())), 6)[0] for t in (tokens, changed)]
    assert torch.equal(values[0][:4], values[1][:4]) and values[0][4] != values[1][4]


def test_value_is_the_head_in_float32_on_the_state_before_the_token():
    hidden, head = torch.randn(2, 5, 4).bfloat16(), torch.nn.Linear(4, 1)
    due = [[hidden[b, t - 1].float() @ head.weight[0] + head.bias[0] for t in (3, 4)] for b in range(2)]
    torch.testing.assert_close(head_values(head, hidden, 2), torch.stack([torch.stack(row) for row in due]))


@pytest.mark.parametrize(("rows", "size"), [(8, 4), (9, 4), (3, 8), (1, 1)])
def test_full_batches_have_one_size_and_hold_each_row_once(rows, size):
    found = full_batches(torch.arange(rows), size)
    assert all(len(batch) == size for batch, _ in found)
    assert torch.cat([batch[:count] for batch, count in found]).tolist() == list(range(rows))


def test_full_batches_of_nothing_are_none():
    assert full_batches(torch.arange(0), 4) == []
