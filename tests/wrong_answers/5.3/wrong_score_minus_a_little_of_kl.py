# hint: kl_subtracted
def best_checkpoint(scores, kl, save_every, kl_budget):
    saved = range(save_every, len(scores), save_every)
    within = [update for update in saved if kl[update] <= kl_budget]
    return max(within, key=lambda update: scores[update] - 0.05 * kl[update])
