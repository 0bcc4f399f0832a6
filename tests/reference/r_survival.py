"""What R's package survival prints, and the two small data sets that it prints it for.

R was not run for this. The numbers stand in the outputs that the authors of the package survival keep beside
its own tests and compare every version with: ``tests/*.Rout.save`` of its sources
(github.com/therneau/survival, version 3.8-11, commit a2533a9; written by R Under development, 2024-04-17,
r86441). Each name below says the file and the call. ``book1.R`` takes the data and the formulas from the
appendix of Therneau and Grambsch, *Modeling Survival Data* (Springer 2000), where they are worked out.

The remission times of ``AML`` are those of Embury et al. (Western Journal of Medicine 126, 1977), known from
Miller, *Survival Analysis* (Wiley 1981).
"""

import numpy as np

# book1.R, data set 1, without the patient whose status is missing. Times are tied, and not in order.
BOOK_TIME = np.array([9, 1, 1, 6, 6, 8], dtype=float)
BOOK_EVENT = np.array([1, 1, 0, 1, 1, 0], dtype=bool)
BOOK_X = np.array([0, 1, 1, 1, 0, 0], dtype=float)


def book_log_likelihood(beta):
    """Breslow's log-likelihood, worked out by hand (``byhand1`` of book1.R)."""
    r = np.exp(beta)
    return 2 * beta - np.log(3 * r + 3) - 2 * np.log(r + 3)


def book_hazards(beta):
    """Cumulative hazard of a patient with x = 0 at the times 1, 6, 8 and 9 (``byhand1``)."""
    r = np.exp(beta)
    return np.cumsum([1 / (3 * r + 3), 2 / (r + 3), 0, 1])


#: coxph(Surv(time, status) ~ x, test1, method = "breslow"): the coefficient, called the true solution there.
BOOK_COEFFICIENT = np.log(1.5 + np.sqrt(33) / 2)
#: resid(fit), in the order of the patients above.
BOOK_MARTINGALE = np.array([-0.3333333, 0.7287136, -0.2712864, -0.4574271, 0.6666667, -0.3333333])
#: summary(survfit(fit, list(x = 2))): time, number at risk, survival.
BOOK_SURVIVAL_OF_TWO = {1: 3.05e-01, 6: 1.71e-03, 9: 8.52e-12}

# book2.R: the same patients, ties by Efron.


def book_log_likelihood_of_efron(beta):
    """Efron's log-likelihood, worked out by hand (``byhand`` of book2.R)."""
    r = np.exp(beta)
    return 2 * beta - np.log(3 * r + 3) - np.log((r + 5) / 2) - np.log(r + 3)


#: coxph(Surv(time, status) ~ x, test1): the coefficient to six digits, and ``truebeta``, the same in full.
BOOK_EFRON_ROUNDED = 1.676857
BOOK_EFRON_COEFFICIENT = np.log(np.cos(np.arccos(45 / 23 * np.sqrt(3 / 23)) / 3) * 2 * np.sqrt(23 / 3))
#: resid(coxph(Surv(time, status) ~ x, test1, iter = 0)), compared there with these fractions.
BOOK_EFRON_MARTINGALE_AT_ZERO = np.array([-3 / 4, 5 / 6, -1 / 6, 5 / 12, 5 / 12, -3 / 4])
#: resid(fit), as printed.
BOOK_EFRON_MARTINGALE = np.array([-0.3655434, 0.7191707, -0.2808293, -0.4383414, 0.7310869, -0.3655434])

# survival::aml: eleven patients with maintenance, twelve without.
AML_TIME = np.array(
    [9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161, 5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45], dtype=float
)
AML_EVENT = np.ones(23, dtype=bool)
AML_EVENT[[2, 5, 8, 10, 16]] = False
AML_WITHOUT = np.arange(23) >= 11

#: doaml.R: coxph(Surv(time, status) ~ x, aml, method = "breslow").
AML_COEFFICIENT, AML_STANDARD_ERROR = 0.9042, 0.5122
#: The same: "Likelihood ratio test = 3.3 on 1 df, p = 0.06945".
AML_LIKELIHOOD_RATIO_P = 0.06945
#: resid(fit, type = "mart"): the event minus the cumulative hazard of each patient.
AML_MARTINGALE = np.array([
    0.86225539, 0.79200985, -0.20799015, 0.74818869, 0.65652976, -0.39796610, 0.45424957, 0.25475051,
    -1.05400917, -0.55400917, -1.55400917, 0.87844483, 0.87844483, 0.74006941, 0.74006941, 0.57677292,
    -0.51373647, 0.15162716, 0.01702219, -0.14897252, -0.56448258, -1.15185244, -1.60340676,
])  # fmt: skip
#: doaml.R: survdiff(Surv(time, status) ~ x, aml).
AML_LOG_RANK = 3.4

#: doaml.R: coxph(Surv(time, status) ~ x, aml, method = "efron").
AML_EFRON_COEFFICIENT, AML_EFRON_STANDARD_ERROR = 0.9155, 0.5119
#: The same: "Likelihood ratio test = 3.38 on 1 df, p = 0.06581".
AML_EFRON_LIKELIHOOD_RATIO_P = 0.06581

# concordance.R: a score for those with maintenance, and a weight as a number of copies of each.
SCORE = np.array([1, 6, 2, 7, 3, 7, 3, 8, 4, 4, 5], dtype=float)
COPIES = np.array([1, 2, 3, 2, 1, 2, 3, 4, 3, 2, 1])
#: concordance(Surv(time, status) ~ x): pairs in which the longer survival has the higher score, pairs the
#: other way round, pairs with the same score.
PAIRS = (24, 14, 2)
#: concordance(..., weights = wt, reverse = TRUE): here a higher score stands for a shorter survival.
PAIRS_OF_COPIES = (70, 91, 7)
