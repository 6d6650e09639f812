"""Verdicts of lesson 4: one backbone, four roles."""

from helpers.checks.verdicts.lesson_4_gradient import accumulated_gradient_verdict
from helpers.checks.verdicts.lesson_4_returns import lambda_returns_verdict
from helpers.checks.verdicts.lesson_4_runs import bytes_per_adapted_layer_verdict, run_diagnosis_verdict
from helpers.checks.verdicts.lesson_4_sampling import sampled_tokens_verdict

__all__ = [
    "accumulated_gradient_verdict",
    "bytes_per_adapted_layer_verdict",
    "lambda_returns_verdict",
    "run_diagnosis_verdict",
    "sampled_tokens_verdict",
]
