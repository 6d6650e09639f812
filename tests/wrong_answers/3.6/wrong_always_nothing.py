# hint: one_name_for_all
import torch


def broken_by(run):
    return "nothing"
