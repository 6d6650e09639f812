"""The small package behind the notebooks. A module imports from lower layers only:

0  formulas    every equation of the course        download  fetch and verify        memory  the bill
1  model       the model file, five precisions      feedback  ratings, pairs, prompts
2  adapters    add LoRA, guard the reference
4  reward      score texts, train the reward adapter
6  plots       the stacked bar                      checks    inputs, call, verdict of each exercise
7  course, __main__   the commands: python -m helpers fetch | doctor | reward | exercises | grade | lessons
"""
