"""Verdicts of lesson 1: load in 8-bit."""

from helpers.checks.verdicts.lesson_1_bytes import bytes_in_8bit_verdict as bytes_in_8bit_verdict
from helpers.checks.verdicts.lesson_1_eval import eight_bit_in_eval_verdict as eight_bit_in_eval_verdict
from helpers.checks.verdicts.lesson_1_linear import int8_linear_verdict as int8_linear_verdict
from helpers.checks.verdicts.lesson_1_nf4 import nf4_round_trip_verdict as nf4_round_trip_verdict
from helpers.checks.verdicts.lesson_1_outliers import outlier_linear_verdict as outlier_linear_verdict
