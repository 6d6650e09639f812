"""The small package behind the notebooks. A module imports from lower layers only:

0  formulas    every equation of the course         download    fetch and verify, write whole or not at all
   bill        the memory bill, predicted           memory      the same, counted on a live model
   shapes      of published models                  device      CPU or GPU, and the precision that suits it
   products    of float32 matrices on a CPU, by the faster library
1  eight_bit   a frozen 8-bit model: one function everywhere, in less memory
2  model       the model file, five precisions      feedback    ratings, pairs, prompts
   plan        what fits which card                 adapters    the shared reference, and what breaks it
   gate        a feed-forward block that keeps two tensors, not three
3  backbone    one model, four roles                settings    of a PPO run, and the runs that are refused
4  reward      score texts, train the adapter       rollout     write responses, and let every role judge them
   checkpoint  save and resume, whatever kills it
5  ppo         the trainer: the loop in one sitting
6  plots       the stacked bar                      checks      inputs, call, verdict of each exercise
7  course, __main__   the commands: python -m helpers --help
"""

import logging

# bitsandbytes says at import, which may be peft's doing, what a learner can do nothing about: so before all of them.
logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(
    lambda record: "Failed to load CPU gemm_4bit_forward" not in record.getMessage()
)
