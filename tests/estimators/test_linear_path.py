"""The linear path: a ridge-Cox model whose penalty is estimated."""

import numpy as np
import pytest
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.metrics import concordance_index_censored
from sksurv.util import Surv

from sksurv_tta.estimators.cox_likelihood import CoxLikelihood
from sksurv_tta.estimators.linear_path import LOG_VARIANCE, NO_VARIANCE, fit_linear_path


def simulate(n_patients=120, n_features=30, strength=1.0, seed=0):
    random = np.random.default_rng(seed)
    features = random.normal(size=(n_patients, n_features)) * random.uniform(0.5, 3, n_features) + 7
    standardised = (features - features.mean(axis=0)) / features.std(axis=0)
    log_risk = strength * standardised @ random.normal(size=n_features) / np.sqrt(n_features)
    time = random.exponential(np.exp(-log_risk)) + 0.01
    return features, time, random.random(n_patients) < 0.7


@pytest.mark.parametrize("log_variance", [-3.0, 0.0, 1.5])
@pytest.mark.parametrize("n_features", [10, 150])
def test_at_a_given_variance_it_is_ridge_cox(log_variance, n_features):
    features, time, event = simulate(n_features=n_features)
    path = fit_linear_path(features, time, event, log_variances=(log_variance, NO_VARIANCE))
    standardised = np.clip((features - features.mean(axis=0)) / features.std(axis=0), -5, 5)
    # The prior variance of a coefficient is that of an average patient's log risk by its squared length.
    alpha = (standardised**2).sum(axis=1).mean() * np.exp(-log_variance)
    ridge = CoxPHSurvivalAnalysis(alpha=alpha, tol=1e-12, n_iter=200)
    ridge.fit(standardised, Surv.from_arrays(event, time))
    np.testing.assert_allclose(path.coefficients, ridge.coef_, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(path.log_risk(features), standardised @ ridge.coef_, rtol=1e-4, atol=1e-5)


def test_the_variance_maximises_the_marginal_likelihood():
    features, time, event = simulate(n_features=4)
    likelihood = CoxLikelihood(time, event)
    standardised = np.clip((features - features.mean(axis=0)) / features.std(axis=0), -5, 5)
    length = (standardised**2).sum(axis=1).mean()

    def marginal(log_variance):
        path = fit_linear_path(features, time, event, log_variances=(log_variance, NO_VARIANCE))
        precision = length * np.exp(-log_variance)
        log_risk = standardised @ path.coefficients
        information = likelihood.information(log_risk, standardised) + precision * np.eye(4)
        return (
            likelihood.value(log_risk)
            - precision / 2 * path.coefficients @ path.coefficients
            - np.linalg.slogdet(information / precision)[1] / 2
        )

    found = fit_linear_path(features, time, event).log_variances[0]
    grid = np.linspace(*LOG_VARIANCE, 111)
    assert abs(found - grid[np.argmax([marginal(value) for value in grid])]) < 0.2


def test_it_finds_signal_and_hardly_any_in_noise():
    features, time, event = simulate(n_patients=200, strength=1.5)
    path = fit_linear_path(features[:140], time[:140], event[:140])
    unseen = concordance_index_censored(event[140:], time[140:], path.log_risk(features[140:]))[0]
    assert unseen > 0.65
    noise = [
        fit_linear_path(simulate(seed=seed)[0], *simulate(strength=0, seed=seed + 50)[1:])
        for seed in range(6)
    ]
    assert np.median([found.log_variances[0] for found in noise]) < -2 < path.log_variances[0]


def test_a_patient_without_the_modality_takes_no_part_and_is_average():
    features, time, event = simulate()
    missing = features.copy()
    missing[:20] = np.nan
    path = fit_linear_path(missing, time, event)
    alone = fit_linear_path(features[20:], time[20:], event[20:])
    np.testing.assert_array_equal(path.coefficients, alone.coefficients)
    assert (path.log_risk(missing)[:20] == 0).all()


def test_features_that_never_vary_and_patients_without_events_give_no_risk():
    time, event = np.arange(1.0, 11), np.ones(10, dtype=bool)
    assert (fit_linear_path(np.ones((10, 3)), time, event).coefficients == 0).all()
    features = np.random.default_rng(0).normal(size=(10, 3))
    assert (fit_linear_path(features, time, ~event).coefficients == 0).all()


def test_a_patient_has_the_same_bits_alone_and_beside_others():
    features, time, event = simulate()
    path = fit_linear_path(features, time, event)
    together = path.log_risk(features)
    assert [path.log_risk(row[None])[0] for row in features] == together.tolist()


def test_where_nobody_has_the_modality_everyone_is_average():
    features, time, event = simulate(n_patients=20)
    path = fit_linear_path(np.full_like(features, np.nan), time, event)
    assert not path.log_risk(features).any()


def at_sites(shift, seed=0):
    """Patients of 12 sites that differ in survival, and whose features tell the site."""
    random = np.random.default_rng(seed)
    site = np.repeat(np.arange(12), 20)
    own = random.normal(size=12)
    features = random.normal(size=(240, 40))
    features[:, 0] = features[:, 0] + 3 * own[site]  # a batch effect
    log_risk = features[:, 1] + shift * own[site]
    time = random.exponential(np.exp(-log_risk)) + 0.01
    return features, time, random.random(240) < 0.7, site


def test_what_differs_between_sites_is_not_taken_for_an_effect_of_the_features():
    features, time, event, site = at_sites(shift=1.5)
    plain = fit_linear_path(features, time, event).coefficients
    path = fit_linear_path(features, time, event, sites=site)
    assert path.log_variances[1] > -1
    assert abs(plain[0]) > 2 * abs(path.coefficients[0])
    assert path.coefficients[1] > 0.5


def test_sites_that_do_not_differ_change_hardly_anything():
    features, time, event, site = at_sites(shift=0.0)
    path = fit_linear_path(features, time, event, sites=site)
    assert path.log_variances[1] < -3
    np.testing.assert_allclose(
        path.coefficients, fit_linear_path(features, time, event).coefficients, atol=0.03
    )


def test_site_effects_are_ridge_cox_with_a_column_for_each_site():
    features, time, event, site = at_sites(shift=1.0)
    path = fit_linear_path(features, time, event, sites=site.astype(str), log_variances=(0.0, -1.0))
    standardised = np.clip((features - features.mean(axis=0)) / features.std(axis=0), -5, 5)
    length = (standardised**2).sum(axis=1).mean()
    # One penalty for all columns: those of the sites are scaled to have the prior variance exp(-1).
    columns = np.column_stack([standardised, (site[:, None] == range(12)) * np.sqrt(length * np.exp(-1))])
    ridge = CoxPHSurvivalAnalysis(alpha=length, tol=1e-12, n_iter=200)
    ridge.fit(columns, Surv.from_arrays(event, time))
    np.testing.assert_allclose(path.coefficients, ridge.coef_[:40], rtol=1e-4, atol=1e-6)


def test_a_single_site_is_no_site():
    features, time, event, _ = at_sites(shift=1.0)
    alone = fit_linear_path(features, time, event, sites=np.full(240, "A"))
    np.testing.assert_array_equal(alone.coefficients, fit_linear_path(features, time, event).coefficients)
    assert alone.log_variances[1] == NO_VARIANCE


def two_cohorts(seed=0, n=120):
    """The same effects, hazards that differ by a factor of 20, and features that tell the cohort."""
    random = np.random.default_rng(seed)
    cohort = np.arange(2 * n) % 2
    features = random.normal(size=(2 * n, 30))
    features[:, :10] += cohort[:, None]
    log_risk = features[:, 20] - features[:, 21]
    time = random.exponential(np.exp(-log_risk - 3 * cohort)) + 1e-4
    return features, time, random.random(2 * n) < 0.7, cohort


def concordance_within(path, features, time, event, cohort):
    return [
        concordance_index_censored(event[own], time[own], path.log_risk(features[own]))[0]
        for own in (cohort == 0, cohort == 1)
    ]


def test_with_strata_the_risk_does_not_tell_the_cohort():
    features, time, event, cohort = two_cohorts()
    unseen = two_cohorts(seed=1)
    plain = fit_linear_path(features, time, event)
    path = fit_linear_path(features, time, event, strata=cohort)
    gaps = [
        abs(np.diff([p.log_risk(features[cohort == c]).mean() for c in (0, 1)])[0]) for p in (plain, path)
    ]
    assert gaps[0] > 1
    assert gaps[1] < 0.3
    within = [concordance_within(p, *unseen) for p in (plain, path)]
    assert min(within[1]) > 0.7
    assert (np.array(within[1]) > within[0]).all()


def test_strata_at_a_given_variance_have_the_mode_of_the_stratified_likelihood():
    features, time, event, cohort = two_cohorts()
    path = fit_linear_path(features, time, event, strata=cohort, log_variances=(0.0, NO_VARIANCE))
    standardised = np.clip((features - features.mean(axis=0)) / features.std(axis=0), -5, 5)
    residuals = np.empty(len(time))
    for own in (cohort == 0, cohort == 1):
        residuals[own] = CoxLikelihood(time[own], event[own]).gradient(standardised[own] @ path.coefficients)
    precision = (standardised**2).sum(axis=1).mean()
    np.testing.assert_allclose(standardised.T @ residuals, precision * path.coefficients, atol=1e-3)


def test_sites_within_strata_and_rows_without_features():
    features, time, event, cohort = two_cohorts()
    sites = cohort + 2 * (np.arange(240) // 40)
    features[:10] = np.nan
    path = fit_linear_path(features, time, event, sites=sites, strata=cohort)
    assert path.coefficients[20] > 0.5
    alone = fit_linear_path(features[10:], time[10:], event[10:], sites=sites[10:], strata=cohort[10:])
    np.testing.assert_array_equal(path.coefficients, alone.coefficients)
    levels = fit_linear_path(features, time, event, sites=cohort, strata=cohort)
    plain = fit_linear_path(features, time, event, strata=cohort)
    np.testing.assert_allclose(levels.coefficients, plain.coefficients, atol=0.03)
