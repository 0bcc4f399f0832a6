"""Losses as functions of tensors: no state, no data, the equation in each docstring.

Equation numbers are those of the paper; ``docs/paper_map.md`` lists every deviation.
All losses are evaluated in the logarithmic domain and in at least single precision.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "agreement_loss",
    "anchor_contrast_loss",
    "cox_loss",
    "discrete_hazard_loss",
    "soft_cross_entropy",
]


#: Ways to treat events at one time in :func:`cox_loss`.
TIES = ("breslow", "efron")


def _at_least_float32(values: Tensor) -> Tensor:
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def cox_loss(
    risk: Tensor, time: Tensor, event: Tensor, *, ties: str = "breslow", strata: Tensor | None = None
) -> Tensor:
    r"""Negative Cox partial log-likelihood per event: Eq. (56), where ties are treated as by Breslow.

    .. math::

        \mathcal L = -\frac{1}{\sum_i \delta_i}
            \sum_{i: \delta_i = 1} \Bigl[ r_i - \log \sum_{j: y_j \ge y_i} e^{r_j} \Bigr]

    With ``ties="efron"`` the :math:`d` events of one time, :math:`D`, leave the risk set one after
    another, in the mean over all orders; their terms are

    .. math::

        \sum_{i \in D} r_i - \sum_{l=0}^{d-1} \log \Bigl[
            \sum_{j: y_j \ge y} e^{r_j} - \frac{l}{d} \sum_{j \in D} e^{r_j} \Bigr].

    With strata each has a baseline hazard of its own: patients are compared within their stratum only,
    and the bracketed terms of all strata are added up.

    Parameters
    ----------
    risk : Tensor of shape (n_patients,)
        Log risk :math:`r`.
    time : Tensor of shape (n_patients,)
        Time to event or censoring :math:`y`, in any unit.
    event : Tensor of shape (n_patients,)
        Event indicator :math:`\delta`: True or 1 where the event happened.
    ties : {"breslow", "efron"}
        How events at one time are treated. Without such events both are the same.
    strata : Tensor of shape (n_patients,), optional
        A number for each patient, equal within a stratum. None: all are in one.

    Returns
    -------
    loss : Tensor, scalar
        The sum over the events of all strata divided by their number. Without any event it is a zero that
        stays attached to ``risk``, so that a backward pass works and teaches nothing.

    Raises
    ------
    ValueError
        If the tensors do not have the same one-dimensional shape, or ties is neither of the two.
    """
    if ties not in TIES:
        raise ValueError(f"ties must be one of {TIES}, got {ties!r}.")
    if risk.ndim != 1 or risk.shape != time.shape or risk.shape != event.shape:
        raise ValueError(
            "risk, time and event must be one-dimensional and of equal length, got shapes "
            f"{tuple(risk.shape)}, {tuple(time.shape)} and {tuple(event.shape)}."
        )
    if strata is not None and strata.shape != risk.shape:
        raise ValueError(
            f"strata must be of the shape of risk, {tuple(risk.shape)}, got {tuple(strata.shape)}."
        )
    risk = _at_least_float32(risk)
    event = event.to(risk.dtype)
    of_stratum = _efron if ties == "efron" else _breslow
    if strata is None:
        log_likelihood = of_stratum(risk, time, event)
    else:
        members = [strata == stratum for stratum in strata.unique()]
        parts = [of_stratum(risk[own], time[own], event[own]) for own in members]
        log_likelihood = sum(parts, start=risk[:0].sum())  # of no patients too it stays attached
    return -log_likelihood / event.sum().clamp(min=1.0)


def _breslow(risk: Tensor, time: Tensor, event: Tensor) -> Tensor:
    """Log-likelihood in which tied events share one risk set."""
    order = torch.argsort(time, descending=True, stable=True)
    risk, time, event = risk[order], time[order], event[order]
    log_sums = torch.logcumsumexp(risk, dim=0)
    # The risk set of tied patients is the running sum at the last of them.
    last_of_ties = torch.searchsorted(-time, -time, right=True) - 1
    return (event * (risk - log_sums[last_of_ties])).sum()


def _efron(risk: Tensor, time: Tensor, event: Tensor) -> Tensor:
    """Log-likelihood in which tied events leave the risk set by equal shares."""
    # Longest first, and of one time those without event first: what stands before the first event
    # of a time is the risk set without that time's events.
    order = torch.argsort(event, stable=True)
    order = order[torch.argsort(time[order], descending=True, stable=True)]
    risk, happened = risk[order], event[order] > 0
    nobody = risk.new_full((1,), -torch.inf)
    log_before = torch.cat([nobody, torch.logcumsumexp(risk, dim=0)])
    places = happened.nonzero().squeeze(1)
    risk, time = risk[places], time[order][places]
    _, group, deaths = torch.unique_consecutive(time, return_inverse=True, return_counts=True)
    first = deaths.cumsum(0) - deaths
    left = torch.arange(len(risk), device=risk.device) - first[group]  # how many of the time's events have
    log_rest, log_tied = log_before[places[first]][group], _log_sums(risk, group, len(deaths))[group]
    # A sum of what stays, not a difference of sums: nothing cancels.
    log_share = ((deaths[group] - left).to(risk.dtype) / deaths[group]).log()
    return (risk - torch.logaddexp(log_rest, log_tied + log_share)).sum()


def _log_sums(values: Tensor, group: Tensor, n_groups: int) -> Tensor:
    """Logarithm of each group's sum of exponentials: (n_groups,)."""
    lowest = values.new_full((n_groups,), -torch.inf)
    largest = lowest.scatter_reduce(0, group, values.detach(), "amax")
    sums = torch.zeros_like(lowest).index_add(0, group, (values - largest[group]).exp())
    return largest + sums.log()


def discrete_hazard_loss(
    logits: Tensor, bin: Tensor, event: Tensor, *, censored_weight: float = 1.0
) -> Tensor:
    r"""Negative log-likelihood of discrete-time hazards, mean over patients: Eq. (55).

    With :math:`h_t = \sigma(\text{logits}_t)` and :math:`S_t = \prod_{j \le t} (1 - h_j)`, an
    event in bin :math:`k` contributes :math:`-\log S_{k-1} - \log h_k` and a censoring in bin
    :math:`k` contributes :math:`-\log S_k`.

    Parameters
    ----------
    logits : Tensor of shape (n_patients, n_bins)
        Logit of the hazard of each time bin.
    bin : Tensor of shape (n_patients,), integer
        The patient's own bin, counted from 0.
    event : Tensor of shape (n_patients,)
        True or 1 where the event happened.
    censored_weight : float
        Factor of the terms of censored patients; some methods halve them.

    Returns
    -------
    loss : Tensor, scalar

    Raises
    ------
    ValueError
        If shapes do not fit or a bin lies outside ``[0, n_bins)``.

    Notes
    -----
    The printed equation counts bins from 1 and uses the survival *after* the next bin for
    censored patients; with bins from 0 that is the patient's own bin.
    """
    if logits.ndim != 2 or bin.shape != logits.shape[:1] or event.shape != logits.shape[:1]:
        raise ValueError(
            "logits must have shape (n_patients, n_bins), bin and event (n_patients,), got "
            f"{tuple(logits.shape)}, {tuple(bin.shape)} and {tuple(event.shape)}."
        )
    if bin.numel() and not (int(bin.min()) >= 0 and int(bin.max()) < logits.shape[1]):
        raise ValueError(
            f"bin must lie in [0, {logits.shape[1]}), got values from {int(bin.min())} to {int(bin.max())}."
        )
    logits = _at_least_float32(logits)
    event = event.to(logits.dtype)
    own = bin.long().unsqueeze(1)
    log_survival = functional.logsigmoid(-logits).cumsum(dim=1)
    log_survival_own = log_survival.gather(1, own).squeeze(1)
    own_logit = logits.gather(1, own).squeeze(1)
    # log S_{k-1} + log h_k = log S_k - log(1 - h_k) + log h_k, and log h - log(1 - h) is the logit.
    weight = event + (1 - event) * censored_weight
    return -(weight * log_survival_own + event * own_logit).mean()


def soft_cross_entropy(weights: Tensor, logits: Tensor) -> Tensor:
    r"""Cross-entropy of each token's prototype logits against its transported weights: Eq. (14).

    The terms of the mean in :math:`-\frac1N \sum_i \langle \pi_i, \log p_i \rangle`, with
    :math:`\pi_i` = ``weights`` and :math:`p_i` the softmax of ``logits``.

    Parameters
    ----------
    weights : Tensor of shape (n_tokens, n_prototypes)
        Soft targets; not renormalised, so that a token sent to the sink teaches less.
    logits : Tensor of shape (n_tokens, n_prototypes)

    Returns
    -------
    losses : Tensor of shape (n_tokens,)
    """
    return -(weights * functional.log_softmax(_at_least_float32(logits), dim=-1)).sum(dim=-1)


def agreement_loss(column_masses: Tensor, mean_prediction: Tensor) -> Tensor:
    """Agreement of two views of a bag on how much each prototype is used (appendix B).

    Parameters
    ----------
    column_masses : Tensor of shape (2, ..., n_prototypes)
        Mass that transport gives to each prototype in either view; normalised inside.
    mean_prediction : Tensor of shape (2, ..., n_prototypes)
        Mean over the view's tokens of their predicted prototype distribution.

    Returns
    -------
    losses : Tensor of shape (...)
        Cross-entropy of one view's prediction against the other view's masses, both ways
        around, averaged. The masses carry no gradient.
    """
    target = column_masses.detach()
    target = target / target.sum(dim=-1, keepdim=True)
    tiny = torch.finfo(mean_prediction.dtype).tiny
    log_prediction = mean_prediction.clamp(min=tiny).log()
    return -(target.flip(0) * log_prediction).sum(dim=-1).mean(dim=0)


def anchor_contrast_loss(
    features: Tensor, anchors: Tensor, temperature: float, *, present: Tensor | None = None
) -> Tensor:
    r"""Pull each modality to its own anchor, away from the others: Eq. (18) and Eq. (19).

    .. math::

        \mathcal L = -\frac1B \sum_b \sum_m \log
            \frac{e^{s_{b,m,m}}}{\sum_l e^{s_{b,m,l}}}, \qquad
        s_{b,m,l} = \frac{\langle \hat f_{b,m}, \hat a_l \rangle}{\tau_r}

    with unit-length :math:`\hat f, \hat a`. Two modalities give the paper's equation; more
    give InfoNCE over all anchors; a single one gives zero.

    Parameters
    ----------
    features : Tensor of shape (n_patients, n_modalities, dim)
        One projected vector per patient and modality; brought to unit length inside.
    anchors : Tensor of shape (n_modalities, dim)
        Projected anchors; brought to unit length inside.
    temperature : float
        :math:`\tau_r > 0`.
    present : Tensor of shape (n_patients, n_modalities), bool, optional
        False where a patient lacks the modality; such an entry contributes nothing.

    Returns
    -------
    loss : Tensor, scalar
        Summed over modalities, mean over patients.

    Raises
    ------
    ValueError
        If the temperature is not positive or shapes do not fit.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}.")
    if features.ndim != 3 or features.shape[1:] != anchors.shape:
        raise ValueError(
            "features must have shape (n_patients, n_modalities, dim) and anchors (n_modalities, dim), got "
            f"{tuple(features.shape)} and {tuple(anchors.shape)}."
        )
    features = functional.normalize(_at_least_float32(features), dim=-1)
    anchors = functional.normalize(_at_least_float32(anchors), dim=-1)
    # A sum of products, not a matrix product: autocast would round that to half precision.
    scores = (features.unsqueeze(2) * anchors).sum(dim=-1) / temperature
    losses = -functional.log_softmax(scores, dim=-1).diagonal(dim1=1, dim2=2)
    if present is not None:
        # where, not a product: an absent entry may hold anything.
        losses = torch.where(present, losses, torch.zeros_like(losses))
    return losses.sum(dim=1).mean()
