"""Losses written out in double precision, sum by sum, as the paper prints them.

Slow on purpose and independent of the package: nothing here is vectorised and no logarithm is
shared between terms.
"""

import math


def log_sum_exp(values):
    largest = max(values)
    return largest + math.log(math.fsum(math.exp(value - largest) for value in values))


def cox(risk, time, event, strata=None):
    """Eq. (56): for each event, its risk against everybody of the stratum whose time is not shorter."""
    strata = [0] * len(risk) if strata is None else strata
    n_events = sum(event)
    if not n_events:
        return 0.0
    terms = []
    for risk_i, time_i, event_i, own in zip(risk, time, event, strata, strict=True):
        if event_i:
            at_risk = [
                risk_j
                for risk_j, time_j, other in zip(risk, time, strata, strict=True)
                if time_j >= time_i and other == own
            ]
            terms.append(risk_i - log_sum_exp(at_risk))
    return -math.fsum(terms) / n_events


def cox_efron(risk, time, event, strata=None):
    """Efron's form: of d tied events, l / d of each has left the risk set of the one after the l-th."""
    strata = [0] * len(risk) if strata is None else strata
    n_events = sum(event)
    if not n_events:
        return 0.0
    terms = []
    patients = list(zip(risk, time, event, strata, strict=True))
    for moment, stratum in sorted({(own, of) for _, own, happened, of in patients if happened}):
        at_risk = [r for r, own, _, of in patients if own >= moment and of == stratum]
        tied = [r for r, own, happened, of in patients if own == moment and happened and of == stratum]
        largest = max(at_risk)
        of_all = math.fsum(math.exp(r - largest) for r in at_risk)
        of_tied = math.fsum(math.exp(r - largest) for r in tied)
        for left, own in enumerate(tied):
            terms.append(own - largest - math.log(of_all - left / len(tied) * of_tied))
    return -math.fsum(terms) / n_events


def sigmoid(value):
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def discrete_hazard(logits, bins, event):
    """Eq. (55) as a product of probabilities, bins counted from 0."""
    terms = []
    for row, own, happened in zip(logits, bins, event, strict=True):
        hazards = [sigmoid(value) for value in row]
        if happened:
            likelihood = math.prod(1 - h for h in hazards[:own]) * hazards[own]
        else:
            likelihood = math.prod(1 - h for h in hazards[: own + 1])
        terms.append(-math.log(likelihood))
    return math.fsum(terms) / len(terms)


def cosine(a, b):
    return math.fsum(x * y for x, y in zip(a, b, strict=True)) / math.sqrt(
        math.fsum(x * x for x in a) * math.fsum(y * y for y in b)
    )


def two_modality_contrast(pathology, genomics, anchor_p, anchor_g, temperature):
    """Eq. (18) and Eq. (19) of one patient, raw exponentials as printed."""
    positive_p = cosine(pathology, anchor_p) / temperature
    negative_p = cosine(pathology, anchor_g) / temperature
    positive_g = cosine(genomics, anchor_g) / temperature
    negative_g = cosine(genomics, anchor_p) / temperature
    return -math.log(math.exp(positive_p) / (math.exp(positive_p) + math.exp(negative_p))) - math.log(
        math.exp(positive_g) / (math.exp(positive_g) + math.exp(negative_g))
    )


def info_nce(features, anchors, temperature):
    """InfoNCE of one patient over any number of modalities."""
    terms = []
    for own, feature in enumerate(features):
        scores = [cosine(feature, anchor) / temperature for anchor in anchors]
        terms.append(log_sum_exp(scores) - scores[own])
    return math.fsum(terms)


def soft_cross_entropy(weights, logits):
    """Eq. (14) of one token."""
    log_total = log_sum_exp(logits)
    return -math.fsum(w * (value - log_total) for w, value in zip(weights, logits, strict=True))


def agreement(masses, predictions):
    """Appendix B of one pair of views: each view's masses against the other view's prediction."""
    halves = []
    for one, other in ((0, 1), (1, 0)):
        total = math.fsum(masses[one])
        halves.append(
            -math.fsum(m / total * math.log(p) for m, p in zip(masses[one], predictions[other], strict=True))
        )
    return math.fsum(halves) / 2
