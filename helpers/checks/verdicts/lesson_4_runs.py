"""Verdicts of the two exercises of lesson 4 that look at runs: their logs, and what they keep in memory."""

from collections.abc import Iterator
from dataclasses import replace

from torch.autograd.graph import saved_tensors_hooks

from helpers.checks.calls.lesson_4_runs import LAYERS, SICKNESSES, policies, sizes
from helpers.checks.verdicts.compare import Verdict, number_verdict, text_verdict

_HEALTHY, _NO_KL, _TOO_HIGH, _REFERENCE = SICKNESSES
_DIAGNOSIS_HINTS = {
    "nothing_noticed": "You call all eight logs healthy, and six of them are not. What is the KL before the first "
    "step, what is it at the end, and how far did the ratio go?",
    "rising_kl": "A healthy run is called one without a KL penalty. Every KL rises at first, and may pass ten nats "
    "on its way; a reward may rise because it was earned, and an entropy may be low from the start. The penalty "
    "makes the KL level off or come back: at its *end* it is below 10.",
    "ratio_beyond_the_clip": "A healthy run is said to have too high a learning rate. A few tokens always go beyond "
    "1.2, for clipping only stops paying for more; a *jump* is a ratio above 10. (A mean of ordinary ratios can be "
    "larger than one with a jump among them.)",
    "start_not_exactly_0": "A healthy run is said to have a wrong reference. Only its first KL tells, that before any "
    "step; how it goes on, up by a little or a lot, does not. And in low precision the first is not exactly 0: a few "
    "thousandths of a nat are rounding.",
    "fooled_by_reward": "A run without a KL penalty is called healthy. Its reward rises as well as any, and that is "
    "the trap: look at what it drifted, and at its entropy.",
    "drift_is_no_jump": "A run without a KL penalty is said to have too high a learning rate. Its ratios are like "
    "those of a healthy run: no token moved far in one update. Many may have moved, a little each, and then the KL "
    "takes a large step, too, for nothing holds it.",
    "end_taken_for_start": "A run without a KL penalty is said to have a wrong reference. Its KL is large at the end; "
    "a wrong reference shows in the *first* value.",
    "averaged_away": "A run with too high a learning rate is called healthy. One step that goes too far is enough, and "
    "a mean, a median or the last value hides it: look at the largest ratio.",
    "jump_taken_for_drift": "A run with too high a learning rate is said to lack the KL penalty. Its KL is large, too, "
    "but it got there in one step: ask about the largest ratio of *all* updates (the last one is an ordinary one "
    "again), and before you ask about the KL.",
    "single_jump_missed": "One run with too high a learning rate is recognised, and the other one is not. Only one of "
    "its steps went too far, the last of all: no other figure shows it yet, and a mean of the ratios hides it. The "
    "largest ratio of *all* updates shows it: it is above 10, and that of a healthy run below 3.",
    "jump_taken_for_start": "A run with too high a learning rate is said to have a wrong reference. Its KL begins at "
    "0, and is large only after the step that went too far.",
    "offset_missed": "A run with a wrong reference is called healthy. All its curves look well, but its KL is not 0 "
    "before the first step: policy and reference were never the same function.",
    "small_offset_missed": "One wrong reference is recognised, and the other one is called healthy. It is a fraction "
    "of a nat off, but that is dozens of times what rounding leaves: the first KL of a healthy run is below a "
    "hundredth of a nat, whatever the others are.",
    "small_drift_missed": "One run without a KL penalty is recognised, and the other one is called healthy. It drifted "
    "less far, but its KL still rises at the end, where that of a healthy run has levelled off or come back, below 10 "
    "nats.",
    "offset_taken_for_drift": "A run with a wrong reference is said to lack the KL penalty. What its KL is at the end "
    "it did not *become*: look at the first value.",
    "offset_taken_for_jump": "A run with a wrong reference is said to have too high a learning rate. Its ratio "
    "compares the policy with itself a step ago and is fine; only the distance to the reference is off.",
}
_DIAGNOSIS_CAUSES = {
    _HEALTHY: {_NO_KL: "rising_kl", _TOO_HIGH: "ratio_beyond_the_clip", _REFERENCE: "start_not_exactly_0"},
    _NO_KL: {_HEALTHY: "fooled_by_reward", _TOO_HIGH: "drift_is_no_jump", _REFERENCE: "end_taken_for_start"},
    _TOO_HIGH: {_HEALTHY: "averaged_away", _NO_KL: "jump_taken_for_drift", _REFERENCE: "jump_taken_for_start"},
    _REFERENCE: {
        _HEALTHY: "offset_missed",
        _NO_KL: "offset_taken_for_drift",
        _TOO_HIGH: "offset_taken_for_jump",
    },
}
_FAINT_ONE_MISSED = {  # where the other log of the kind is recognised
    _TOO_HIGH: {_NO_KL: "single_jump_missed", _HEALTHY: "single_jump_missed"},
    _REFERENCE: {_HEALTHY: "small_offset_missed"},
    _NO_KL: {_HEALTHY: "small_drift_missed"},
}


def run_diagnosis_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against what each log was drawn as, recognised by the one figure that is far outside the others."""
    said = {name: outputs[f"{name}_output"] for name in inputs}
    if set(said.values()) == {_HEALTHY}:
        hint = _DIAGNOSIS_HINTS["nothing_noticed"]
        return Verdict(False, "'healthy', eight times", "two logs of each kind", hint, "nothing_noticed")
    for kind in SICKNESSES:
        of_kind = [name for name in inputs if _drawn_as(inputs[name]) == kind]
        for place, name in enumerate(sorted(of_kind, key=lambda name: _is_faint(kind, inputs[name]))):
            one = {"output": said[name], "kind": outputs[f"{name}_kind"], "inputs_changed": outputs["inputs_changed"]}
            causes = _DIAGNOSIS_CAUSES[kind] | (_FAINT_ONE_MISSED.get(kind, {}) if place else {})  # the first was right
            verdict = text_verdict(one, kind, causes, _DIAGNOSIS_HINTS)
            if not verdict.passed:
                return replace(verdict, got=f"{verdict.got} for a log with {_figures(inputs[name])}")
    return Verdict(True, "eight diagnoses", "eight diagnoses")


def _is_faint(kind: str, log: dict) -> bool:
    """Whether it is the log of its kind in which the sign is small."""
    return {
        _HEALTHY: False,
        _NO_KL: log["objective/kl"][-1] < 45,
        _TOO_HIGH: max(log["val/ratio_max"]) < 20,
        _REFERENCE: log["objective/kl"][0] < 10,
    }[kind]


def _figures(log: dict) -> str:
    """Of a log that the learner has not printed: the check draws its own."""
    kl, scores, ratios = log["objective/kl"], log["objective/scores"], log["val/ratio_max"]
    return (
        f"KL {kl[0]:.1f} at first and {kl[-1]:.1f} at the end, largest ratio {max(ratios):.1f}, "
        f"reward {scores[0]:+.1f} at first and {scores[-1]:+.1f} at the end"
    )


def _drawn_as(log: dict) -> str:
    kl = log["objective/kl"]
    if kl[0] > 0.1:
        return _REFERENCE
    if max(log["val/ratio_max"]) > 10:
        return _TOO_HIGH
    return _NO_KL if kl[-1] > 20 else _HEALTHY


_BYTES_HINTS = {
    "one_measurement": "This is one measurement as it is. It holds all adapted layers of its policy, and what is kept "
    "once: the positions, and what enters the final norm. Measure two policies that differ by one layer, and subtract.",
    "divided": "You divided one measurement by its number of layers, which spreads what is kept once over the layers, "
    "and the lowest one keeps less. Measure two policies that differ by one layer, and subtract.",
    "per_token": "The size is right, but of one token, or of one position of all texts. Asked is what the whole "
    "forward of `tokens` keeps for one more layer.",
    "tensors_counted": "You counted tensors: `len(kept)` says how many are kept. `stored_bytes(kept)` says how large "
    "they are.",
    "numbers_not_bytes": "You count numbers. Bytes are due, a float32 has 4: `stored_bytes(kept)` adds up those of all "
    "that is kept.",
    "unit": "The size is right, but in another unit: bits, kB, KiB, MB, MiB, GB or GiB. Bytes are due.",
    "nothing_kept": "Both measurements are the same: the forward ran without gradients (torch.no_grad), where nothing "
    "is kept, or you read the list before the block ended, or both were of the same policy. Measure as in training, "
    "and count below the block.",
    "difference_of_shares": "You divided each measurement by its number of layers and subtracted the shares, or "
    "averaged them. What is kept once is in both: subtract the measurements as they are, and divide by how many layers "
    "lie between them.",
    "views_counted": "You count what the kept tensors show (t.numel() or t.nbytes). A tensor that is a view of a part "
    "keeps its whole storage in memory: t.untyped_storage().nbytes(), which is what stored_bytes(kept) adds up.",
    "gradients_off": "The figure is right, but gradients are switched off after your call: "
    "torch.set_grad_enabled(False) stays until it is taken back. Nothing here needs it.",
    "hooks_left": "The figure is right, but your saved_tensors_hooks were entered and never left: they go on "
    "collecting whatever is kept. Use them in a `with` block.",
    "counted_twice": "Some tensors count twice or more: several operations keep the same one, or views of it. Count "
    "each storage once, by untyped_storage().data_ptr().",
    "weights_counted": "Weights are in it. The backward needs them too, but they are there anyway, and stand in "
    "another line of the bill: leave out what is a parameter's storage.",
    "adapter_weights": "These are the adapter's own weights. They are trained, but it is the activations, kept for "
    "every token of the micro-batch, that one more layer costs.",
    "two_layers": "This is what two more layers keep.",
    "three_layers": "This is what three more layers keep, as many as lie between k = 1 and k = 4.",
    "divided_by_too_many": "This is only a part of what one more layer keeps. Did you run all rows of `tokens`? And a "
    "difference of two measurements is divided by how many more layers the second policy has: between k = 1 and k = 4 "
    "lie three, not four.",
    "wrong_sign": "Right size, wrong sign: more layers keep more.",
    "all_that_is_kept": "This is the sum of both measurements. What one more layer costs is their difference.",
}


def bytes_per_adapted_layer_verdict(inputs: dict, outputs: dict) -> Verdict:
    """Against the closed form of `helpers.bill`, which counts nothing: it knows which operation keeps what."""
    due = float(_predicted(inputs, 3) - _predicted(inputs, 2))
    verdict = number_verdict(outputs, due, _bytes_causes(inputs, due), _BYTES_HINTS, tolerance=1e-6)
    for name in ("gradients_off", "hooks_left"):
        if verdict.passed and outputs[name]:
            return replace(verdict, passed=False, hint=_BYTES_HINTS[name], hint_name=name)
    return verdict


def _predicted(inputs: dict, layers: int) -> int:
    from transformers import LlamaConfig

    from helpers.bill import Run, activation_bytes

    batch, length = inputs["tokens"].shape
    run = Run(adapter_rank=inputs["r"], micro_batch=batch, prompt_length=length - 1, response_length=1)
    return activation_bytes(LlamaConfig(**{**sizes(inputs), "num_hidden_layers": layers}), run)


def _bytes_causes(inputs: dict, due: float) -> Iterator[tuple[str, float]]:
    yield ("nothing_kept", 0)
    yield from (("unit", due / unit) for unit in (2**10, 2**20, 2**30, 1e3, 1e6, 1e9, 1 / 8))
    yield from [("wrong_sign", -due), ("two_layers", 2 * due), ("three_layers", 3 * due)]
    for share in (inputs["tokens"].numel(), inputs["tokens"].shape[1]):
        yield from [("per_token", due / share), ("per_token", due // share)]
    yield ("numbers_not_bytes", due / 4)
    yield from [("divided_by_too_many", due * share) for share in (3 / 4, 2 / 3, 1 / 2, 1 / 3)]
    yield ("adapter_weights", 2 * 4 * 2 * inputs["r"] * inputs["hidden_size"])
    kept = {k: _kept(inputs, k) for k in range(1, LAYERS + 1)}
    for k, found in kept.items():
        yield from [("one_measurement", found["right"]), ("divided", found["right"] / k)]
        yield ("tensors_counted", found["tensors_counted"])
    shares = {k: found["right"] / k for k, found in kept.items()}
    yield from [("difference_of_shares", share - other) for share in shares.values() for other in shares.values()]
    yield from [("difference_of_shares", sum(list(shares.values())[:most]) / most) for most in (2, 3, 4)]
    for low in range(1, LAYERS):
        yield ("all_that_is_kept", kept[low]["right"] + kept[low + 1]["right"])
        for name, less in kept[low].items():
            difference = kept[low + 1][name] - less
            if name != "right":
                yield (name.removesuffix("_whole"), difference)
            if name not in ("right", "views_counted"):
                yield (name.removesuffix("_whole"), difference / 4)


def _kept(inputs: dict, k: int) -> dict[str, int]:
    """What a forward of the whole model keeps, counted rightly, and in four other ways by the names of their hints."""
    model, found = policies(inputs)(k), []
    with saved_tensors_hooks(lambda tensor: found.append(tensor) or tensor, lambda tensor: tensor):
        logits = model(input_ids=inputs["tokens"]).logits
    del logits
    owned = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    every = [(tensor.untyped_storage().data_ptr(), tensor) for tensor in found]
    kept = [(pointer, tensor) for pointer, tensor in every if pointer not in owned]
    first_seen = dict(reversed(kept)).values()
    return {
        "right": sum(tensor.untyped_storage().nbytes() for tensor in dict(kept).values()),
        "views_counted": sum(tensor.nbytes for tensor in first_seen),
        "numbers_not_bytes": sum(tensor.numel() for tensor in first_seen),
        "counted_twice": sum(tensor.nbytes for _, tensor in kept),
        "counted_twice_whole": sum(tensor.untyped_storage().nbytes() for _, tensor in kept),
        "weights_counted": sum(tensor.untyped_storage().nbytes() for tensor in dict(every).values()),
        "tensors_counted": len(dict(kept)),
    }
