"""Break trainer and formulas in one line at a time, and see which test notices: python tests/mutants.py [NAME …]

A mutant runs without an exception. It counts as killed only by an assertion that fails; a test that ends in any other
exception, or in none, leaves it alive. Each runs in a fork, on a copy of the package that stands in front of this one.
"""

# ruff: noqa: E501 - a table, one mutant a line
import importlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]


class Mutant(NamedTuple):
    name: str
    file: str
    old: str
    new: str
    test: str  # in the module test_FILE.py, as for pytest -k


MUTANTS = [
    Mutant("8-bit scale forgotten while writing", "eight_bit", "* (_largest(layer) / 127).to(x.dtype)", "* (_largest(layer) / _largest(layer)).to(x.dtype)", "bfloat16_differ_by_its_rounding"),
    Mutant("8-bit layers left in bfloat16", "layers", "            del layer.forward\n", "            pass\n", "eight_bit: bfloat16_differ_by_its_rounding"),
    Mutant("8-bit gradient without the scale", "eight_bit", "gradient.dtype).mul_(largest[:, None] * (1.0 / 127.0))", "gradient.dtype)", "lean_logits_and_gradients"),
    Mutant("8-bit input kept", "eight_bit", "context.floats = floats", "context.floats, context.x = floats, x", "does_not_keep_its_input"),
    Mutant("embedding left in bfloat16", "eight_bit", "            _widen(weight)\n", "            pass\n", "as_it_was_afterwards"),
    Mutant("embedding rounded to bfloat16", "eight_bit", "torch.equal(part.bfloat16().float(), part)", "torch.equal(part, part)", "stays_as_it_is"),
    Mutant("8-bit on a GPU left to bitsandbytes", "eight_bit", "in filter(_on_gpu, _eight_bit_layers(model))", "in list(filter(_on_gpu, _eight_bit_layers(model)))[:0]", "gpu_compute_in_either_mode or backbone_lets_policy"),
    Mutant("8-bit on a CPU changed, too", "eight_bit", "in filter(_on_gpu, _eight_bit_layers(model))", "in _eight_bit_layers(model)", "on_a_cpu_are_left"),
    Mutant("lean replaces layers that are", "eight_bit", "if \"forward\" not in vars(layer)]", "]", "leaves_the_layers_alone"),
    Mutant("trunk only of the first part", "backbone", "range(0, len(tokens), rows)", "range(0, rows, rows)", "trunk_in_parts"),
    Mutant("trunk keeps what entered it", "backbone", "part.hidden.copy_(self._through(layers, part.hidden, part.arguments))", "self._through(layers, part.hidden, part.arguments)", "trunk_in_parts"),
    Mutant("trunk of a whole batch of long texts", "rollout", "forward_batch * max(1, TRUNK_TEXT // tokens.shape[1])", "None", "trunk_reads_short"),
    Mutant("trunk of long texts planned whole", "plan", "min(job.batch, job.micro_batch * max(1, TRUNK_TEXT // job.length))", "job.batch", "all_layers_never"),
    Mutant("given reference of another function accepted", "settings", "if isinstance(backbone.reference, nn.Module):", "if False:", "backbone: given_reference_that_would"),
    Mutant("what is random accepted", "settings", "if not (again - due).norm() <= (1e-6 * due.norm() if due.is_cpu else allowed):", "if False:", "backbone: trained_as_another_function"),
    Mutant("what reads texts together accepted", "backbone", "or len(value) in (1, batch)", "or True", "trained_as_another_function"),
    Mutant("all layers get the mask of the first", "backbone", "**arguments[self.kinds[layer]])", "**arguments[self.kinds[0]])", "gemma3"),
    Mutant("norms of the heads of Qwen3 not in its bill", "bill", "return config.model_type == \"qwen3\"", "return False", "memory: another_family"),
    Mutant("one backbone billed without its heads", "bill", "weight_bytes(config, run.precision) + 4 * 2 * head,", "weight_bytes(config, run.precision),", "memory: one_backbone"),
    Mutant("one backbone billed with activations of all layers", "bill", "activation_bytes(top, run) + for_gradients", "activation_bytes(config, run) + for_gradients", "memory: one_backbone"),
    Mutant("checksum of the 8-bit weights without their scales", "adapters", "if not _is_adapter_weight(name) and", "if \"SCB\" not in name and not _is_adapter_weight(name) and", "checksum"),
    Mutant("norms of the heads of Qwen3 not planned", "plan", "if shape.norms_heads:", "if False:", "backbone_keeps"),
    Mutant("reference reads its rows together", "backbone", "for given in (model, reference):", "for given in (model,):", "eight_bit: backbone_lets_policy"),
    Mutant("sign of the KL in the reward", "formulas", "-kl_coef * (policy", "kl_coef * (policy", "by_hand_with_the_score"),
    Mutant("score one token early", "formulas", "mask.sum(1, keepdim=True) - 1", "(mask.sum(1, keepdim=True) - 2).clamp_min(0)", "by_hand_with_the_score"),
    Mutant("k3 with the ratio upside down", "formulas", "log_r = reference_logprobs - policy_logprobs", "log_r = policy_logprobs - reference_logprobs", "averages_to_the_exact_kl"),
    Mutant("value of the same token as the next one", "formulas", "gamma * following - values", "gamma * values - values", "double_sum"),
    Mutant("lambda without gamma", "formulas", "gamma * lam * running", "lam * running", "double_sum"),
    Mutant("returns without the value", "formulas", "torch.where(mask, advantages + values, 0)", "advantages", "discounted_sums"),
    Mutant("optimistic clipping", "formulas", "torch.maximum(-ratio", "torch.minimum(-ratio", "pessimistic"),
    Mutant("value not clipped", "formulas", "(clipped - returns).square()", "(values - returns).square()", "around_the_old_value"),
    Mutant("value clipped around itself", "formulas", "old_values + (values - old_values)", "values + (values - old_values)", "around_the_old_value"),
    Mutant("KL coefficient away from its target", "formulas", "kl / target - 1))", "1 - kl / target))", "adapted_kl_coef"),
    Mutant("whitening before the returns", "ppo", "values, mask, config.gamma, config.lam)", "values, mask, config.gamma, config.lam); returns = self._whitened(returns, mask)", "advantages_are_whitened_once"),
    Mutant("advantages not whitened", "ppo", "advantages = self._whitened(advantages, mask)", "advantages = 1.0 * advantages", "advantages_are_whitened_once"),
    Mutant("new value as the centre of the clip", "ppo", "rollout.values[part][mask], returns", "values[mask].detach(), returns", "ratio_and_value_are_clipped_around"),
    Mutant("new log-probability as the old one", "ppo", "policy_losses(logprobs[mask], old,", "policy_losses(logprobs[mask], logprobs[mask].detach(),", "ratio_and_value_are_clipped_around"),
    Mutant("mean of micro-batch means", "ppo", "errors.sum()) / tokens", "errors.sum()) / mask.sum()", "plain_pass_whatever_the_micro_batch"),
    Mutant("rows that only fill a batch count", "ppo", "mask[count:] = False", "mask[count:] = mask[count:]", "plain_pass_whatever_the_micro_batch"),
    Mutant("value loss flows into the adapter", "ppo", "self.value_head, hidden.detach()", "self.value_head, hidden", "value_loss_does_not_flow"),
    Mutant("temperature missing in training", "ppo", "rollout.responses[part], config.temperature", "rollout.responses[part], 1.0", "first_step_has_ratio_1_and"),
    Mutant("value loss unweighted", "ppo", "config.vf_coef * errors", "errors", "plain_pass_whatever_the_micro_batch"),
    Mutant("gradients of a failed pass stay", "ppo", "else parameter.grad.zero_()", "else parameter.grad", "step_that_runs_out_of_memory"),
    Mutant("gradients of the step before stay", "ppo", "else parameter.grad.zero_()", "else parameter.grad", "gone_in_the_next"),
    Mutant("gradients born in the backward", "ppo", "torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.zero_()", "None", "stay_in_their_place"),
    Mutant("gate without its own slope", "layers", "silu_backward(gradient * up, gate)", "silu_backward(gradient, gate)", "plain_one_to_the_bit"),
    Mutant("gradient of up without the activation", "layers", "gradient * silu(gate)", "gradient * gate", "plain_one_to_the_bit"),
    Mutant("product kept, too", "layers", "save_for_backward(gate, up)", "save_for_backward(gate, up, gate.clone())", "no_more"),
    Mutant("norm that does not see its own length", "layers", "of_normed.addcmul_(normed, along, value=-1)", "of_normed", "of_a_lean_norm"),
    Mutant("gradient of a norm without its weight", "layers", "(gradient * weight).float()", "gradient.float()", "of_a_lean_norm"),
    Mutant("norm that is trained, too", "layers", "if norm.weight.requires_grad or not", "if not", "that_is_trained"),
    Mutant("gradient of keys without the scale", "layers", "slopes.mT @ wide.to(q.dtype)", "slopes.mT @ q", "of_its_formula"),
    Mutant("scores rounded to bfloat16", "layers", "(wide @ k.float().mT)", "(wide.to(k.dtype) @ k.mT).float()", "scores_are_large"),
    Mutant("padding seen in the backward", "layers", ".masked_fill_(hidden[:, None], -torch.inf)", "", "of_its_formula"),
    Mutant("later tokens seen in the backward", "layers", "dtype=torch.bool).tril()", "dtype=torch.bool)", "of_its_formula"),
    Mutant("scale of attention as PyTorch's", "layers", "queries.shape[-1] ** -0.5 if scale is None else scale", "queries.shape[-1] ** -0.5", "of_its_formula"),
    Mutant("attention of an encoder, too", "layers", " and getattr(layer, \"is_causal\", True)", "", "left_to_pytorch"),
    Mutant("layers of Mistral left out", "layers", "(\"Llama\", \"Mistral\", \"Qwen2\", \"Qwen3\")", "(\"Llama\", \"Qwen2\", \"Qwen3\")", "other_models or each_model"),
    Mutant("a replaced forward replaced", "layers", " and \"forward\" not in vars(m)}", "}", "replaced_before"),
    Mutant("long texts, too", "layers", "batch * heads * length**2 <= SHORT_ATTENTION", "batch <= SHORT_ATTENTION", "exist_at_once or another_kind"),
    Mutant("adapter without its scale in the backward", "layers", "gradient.float().mul_(context.scale)", "gradient.float()", "lean_adapter_has"),
    Mutant("adapter on a GPU, too", "layers", "not plain or not x.is_cpu or", "not plain or", "another_device"),
    Mutant("norm on a GPU, too", "layers", " or not hidden_states.is_cpu:", ":", "another_device"),
    Mutant("dropout of an adapter left out", "layers", "dropout.p == 0 or not dropout.training", "True", "left_to_peft"),
    Mutant("DoRA taken for LoRA", "layers", "without and name not in layer.lora_variant", "without", "left_to_peft"),
    Mutant("second adapter left out", "layers", "options or more or layer", "options or layer", "left_to_peft"),
    Mutant("table of attention functions overridden for good", "layers", "        del ALL_ATTENTION_FUNCTIONS[\"sdpa\"]", "        pass", "before_or_later"),
    Mutant("gradient not clipped", "ppo", "nn.utils.clip_grad_norm_(self.trained, self.config.max_grad_norm)", "nn.utils.get_total_norm([p.grad for p in self.trained])", "logged_before_it_is_clipped"),
    Mutant("epsilon of Adam left as it is", "ppo", "config.learning_rate, eps=1e-5)", "config.learning_rate)", "epsilon_of_ppo"),
    Mutant("end token looked for in the prompt", "ppo", "self._ended(rollout.responses)\n        return", "self._ended(rollout.tokens)\n        return", "looked_for_in_the_response"),
    Mutant("dropout of modules left on", "backbone", "module.p = 0.0", "module.p = module.p", "dropout_is_switched_off"),
    Mutant("dropout of attention left on", "backbone", "setattr(module, name, 0.0)", "pass", "dropout_is_switched_off"),
    Mutant("eval instead of train", "ppo", "                model.train()", "                model.eval()", "in_train_mode"),
    Mutant("adapter decays in the value warm-up", "ppo", "parameter.grad = None", "pass", "warm_up"),
    Mutant("fp16 loss not scaled back", "ppo", "self._sum(parameter.grad).div_(self.loss_scale)", "self._sum(parameter.grad)", "overflows_in_float16"),
    Mutant("learning rate does not fall", "ppo", "max(0.0, 1 - len(self.history) / total)", "1.0", "learning_rate_falls"),
    Mutant("first epoch's order in every epoch", "ppo", "            order = torch.randperm(config.batch_size, generator=self.generator)", "            order = torch.arange(config.batch_size)[: config.batch_size // 2].repeat(2)", "each_response_once"),
    Mutant("wrong adapter for the reward", "reward", "with backbone.adapter(\"reward\")", "with backbone.adapter(\"default\")", "scores_prompt_and_response_as"),
    Mutant("reward read off a special token", "rollout", "mask.bool() & ~torch.isin(tokens, special)", "mask.bool()", "what_decoding_keeps"),
    Mutant("reward read off the last place", "reward", "torch.where(mask, positions, 0).amax(1)", "torch.where(mask, positions, positions).amax(1)", "scores_prompt_and_response_as"),
    Mutant("temperature missing in the reference", "backbone", "self.response_logprobs(self.top(states), responses, temperature)", "self.response_logprobs(self.top(states), responses, 1.0)", "logits_of_the_reference_too"),
    Mutant("reference with its adapters on", "backbone", "without_adapters(self.model) if", "contextlib.nullcontext() if", "reference_is_the_base_model"),
    Mutant("log-probabilities one token late", "backbone", "hidden[:, -responses.shape[1] - 1 : -1]", "hidden[:, -responses.shape[1] :]", "split_forward_is_the_whole"),
    Mutant("values one token late", "backbone", "head(hidden[:, -response - 1 : -1]", "head(hidden[:, -response:]", "does_not_see_it"),
    Mutant("positions count the padding", "backbone", "        positions = (mask.cumsum(1) - 1).clamp_min(0)\n        kind_of", "        positions = torch.ones_like(mask).cumsum(1) - 1\n        kind_of", "left_padding and gpt2"),
    Mutant("mask of GPT-2 dropped", "backbone", "zip(names, inputs, strict=False)", "zip(names, inputs[:1], strict=False)", "split_forward_is_the_whole or left_padding"),
    Mutant("long texts keep all", "backbone", "for layer in layers[:again]:\n            hidden = checkpoint(self._through, [layer], hidden, states.arguments, use_reentrant=False)", "hidden = self._through(layers[:again], hidden, states.arguments)", "longer_texts_more_of_the_lower"),
    Mutant("upper layers are computed again", "backbone", "again = max(0, len(layers) - trained * LONG_TEXT // hidden.shape[1])\n", "again = max(0, len(layers) - trained * LONG_TEXT // hidden.shape[1])\n        hidden, layers, again = self._through(layers[: len(layers) - again], hidden, states.arguments), layers[len(layers) - again :], again\n", "longer_texts_more_of_the_lower"),
    Mutant("layers of a frozen adapter count as trained", "backbone", "trained = sum(_has_gradients(self.layers[layer]) for layer in layers)", "trained = len(layers)", "only_a_frozen_adapter"),
    Mutant("plan without what enters the layers of a long text", "plan", "(adapted * job.length - whole) * entering", "0", "example_of_the_readme"),
    Mutant("plan without the one layer that is computed again", "plan", "max(adapted * bill.LONG_TEXT, job.length)", "adapted * bill.LONG_TEXT", "update_of_the_trainer and one"),
    Mutant("long texts without what the layers are given", "backbone", "checkpoint(self._through, [layer], hidden, states.arguments,", "checkpoint(self._through, [layer], hidden, {kind: {k: v for k, v in given.items() if k != \"attention_mask\"} for kind, given in states.arguments.items()},", "long_texts_is_that_of_short"),
    Mutant("gradient without the temperature", "backbone", "average / total).mul_(scale)", "average / total)", "token_logprobs_is_that_of_autograd"),
    Mutant("normalizer of the slices under different maxima", "backbone", "total = total * shrunk +", "total = total +", "token_logprobs_is_that_of_autograd"),
    Mutant("softmax of the last slice only", "backbone", "average = average * shrunk +", "average = 0 * shrunk +", "token_logprobs_is_that_of_autograd"),
    Mutant("maximum of the last slice only", "backbone", "higher = torch.maximum(highest, logits.amax(1, keepdim=True))", "higher = logits.amax(1, keepdim=True)", "far_apart"),
    Mutant("what is trainable is not restored", "backbone", "parameter.requires_grad_(trainable[key])", "pass", "everything_is_as_before"),
    Mutant("last batch of another shape", "backbone", "(part.repeat(-(-size // len(part)))[:size], len(part))", "(part, len(part))", "full_batches_have_one_size"),
    Mutant("sampling without the temperature", "rollout", ".float() / limits.temperature", ".float()", "samples_each_token_from"),
    Mutant("end token left out of the loss", "rollout", "mask[:, end] = running", "mask[:, end] = running & (chosen != limits.stop)", "ends_with_its_end_token"),
    Mutant("padding in the prompt is attended to", "rollout", "attention_mask=mask[:, :end].long()", "attention_mask=torch.ones_like(mask[:, :end]).long()", "samples_each_token_from"),
    Mutant("a token of probability 0 at random number 0", "rollout", ", right=True)", ")", "ends_never_draws"),
    Mutant("a token beyond the vocabulary", "rollout", ".clamp_max(logits.shape[1] - 1)", "", "from_what_is_no_number"),
    Mutant("finished rows go on", "rollout", "running = running & (chosen != limits.stop)", "running = running & (chosen == chosen)", "ends_with_its_end_token"),
    Mutant("optimizer not saved whole", "ppo", "self.optimizer.load_state_dict(state.pop(\"optimizer\"))", "state.pop(\"optimizer\")", "checkpoint: bit_for_bit_the_one_that and fp32"),
    Mutant("loss scale of another precision", "ppo", "in_one = 1 in (self.loss_scale, state[\"loss_scale\"])", "in_one = False", "loss_scale_is_that_of_float16"),
    Mutant("random state not restored", "ppo", "self.generator.set_state(state.pop(\"generator\"))", "state.pop(\"generator\")", "checkpoint: bit_for_bit_the_one_that and fp32"),
    Mutant("value head not restored", "checkpoint", "value_head.load_state_dict(load_file(candidate / \"value_head.safetensors\"))", "pass", "bit_for_bit_the_one_that and fp32"),
    Mutant("hash not compared", "checkpoint", "or sha256_of(folder / name) != due", "or not due", "noticed_and_the_one_before and edited and value_head"),
    Mutant("one checkpoint kept", "checkpoint", "KEPT = 2", "KEPT = 1", "keeps_the_last_two"),
    Mutant("pad token may be the end token", "settings", "in (tokenizer.eos_token_id, config.stop_token_id)", "in ()", "padding_that_is_the_stop"),
]  # fmt: skip


class Verdicts:
    """What pytest found: tests that an assertion failed in, and tests that ended in another exception."""

    def __init__(self):
        self.passed, self.killers, self.crashed = 0, [], []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        if report.failed:
            (self.killers if call.excinfo.errisinstance(AssertionError) else self.crashed).append(item.name)
        self.passed += report.passed and call.when == "call"
        return report


def verdict(package: Path, module: str, tests: str) -> dict:
    """Run tests of a test module in a fork, with `package` in front of the installed one."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        sys.path.insert(0, str(package))
        found = Verdicts()
        file = ROOT / "tests" / f"test_{module}.py"
        pytest.main([str(file), "-k", tests, "-x", "-q", "-p", "no:cacheprovider", "-m", "not real"], plugins=[found])
        import helpers

        assert Path(helpers.__file__).is_relative_to(package)
        os.write(writer, json.dumps(vars(found)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    os.waitpid(process, 0)
    return json.loads(text) if text else {"passed": 0, "killers": [], "crashed": ["before any test"]}


def tests_of(mutant: Mutant) -> tuple[str, str]:
    """The test module, and the expression that chooses tests in it."""
    module, _, tests = mutant.test.rpartition(": ")
    return module or {"reward": "ppo"}.get(mutant.file, mutant.file), tests


def copy(room: Path) -> Path:
    package = room / "package"
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(ROOT / "helpers", package / "helpers", ignore=shutil.ignore_patterns("__pycache__"))
    return package


def mutated(room: Path, mutant: Mutant) -> Path:
    """A copy of the package with the mutant in it."""
    package = copy(room)
    path = package / "helpers" / f"{mutant.file}.py"
    source = path.read_text()
    if source.count(mutant.old) != 1:
        raise SystemExit(f"{mutant.name}: {mutant.old!r} stands {source.count(mutant.old)} times in {mutant.file}.py.")
    path.write_text(source.replace(mutant.old, mutant.new))
    return package


def refuse_useless_tests(room: Path, mutants: list[Mutant]) -> None:
    """Without a mutant, each test must be there and pass."""
    for module in sorted({tests_of(mutant)[0] for mutant in mutants}):
        chosen = {tests for of_module, tests in map(tests_of, mutants) if of_module == module}
        found = verdict(copy(room), module, " or ".join(f"({tests})" for tests in sorted(chosen)))
        if found["killers"] or found["crashed"] or found["passed"] < len(chosen):
            raise SystemExit(f"Without any mutant, the tests of test_{module}.py that are named here fail: {found}")


def main(names: list[str]) -> int:
    for slow in ("bitsandbytes", "datasets", "peft", "torch", "transformers.models.llama.modeling_llama"):
        importlib.import_module(slow)  # once, before the forks
    killed, chosen = 0, [mutant for mutant in MUTANTS if not names or mutant.name in names]
    with tempfile.TemporaryDirectory() as folder:
        refuse_useless_tests(Path(folder), chosen)
        for mutant in chosen:
            found = verdict(mutated(Path(folder), mutant), *tests_of(mutant))
            alive = not found["killers"] or found["crashed"]
            killed += not alive
            told = f"ALIVE {mutant.name}: {found}" if alive else f"killed {mutant.name} by {found['killers'][0]}"
            print(told, flush=True)
    print(f"{killed} of {len(chosen)} mutants killed")
    return int(killed < len(chosen))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
