"""Longer texts of ``--help``; they fit into 88 columns."""

__all__ = [
    "DEMO",
    "EVALUATE",
    "EVALUATE_OUT",
    "EXPLAIN",
    "EXPLAIN_OUT",
    "FIT",
    "FIT_EXAMPLE",
    "PACK",
    "PACK_EXAMPLE",
    "PREDICT",
    "PREDICT_EXAMPLE",
]

EVALUATE = """\
Every model is fitted on the training patients of each fold and measured once on the
test patients. Folds keep tissue source sites whole. Nothing is chosen on a test fold."""

EVALUATE_OUT = """\
models (tta, ridge, coxnet, rsf and gbsa take whatever data there are):
  tta, tta-genes, tta-bags          the network: on both, on genes, on bags
  snn, snntrans                     other methods' networks, on genes
  abmil, clam, attnmisl, transmil, hipt, otsurv, panther
                                    on bags (hipt: on bags of regions)
  mcat, motcat, cmta, survpath, mmp, pibd
                                    on both, which every patient must have
  ld-cvae                           on both; generates the genes of who has none
  ridge, ridge-genes, ridge-bags, ridge-both
                                    Cox model, ridge penalty chosen on training patients;
                                    a bag counts by the mean of its features
  coxnet, coxnet-genes, ...         the same with an elastic net
  rsf, rsf-genes, rsf-bags          random survival forest
  gbsa, gbsa-genes, gbsa-bags       gradient boosting
  fusion-ridge                      late fusion of ridge-genes and ridge-bags

OUT receives
  report.html       everything below in one page, with figures; needs matplotlib
                    (pip install "sksurv-tta[plot]")
  figures/          the figures as SVG and PNG
  summary.txt       the gist, as printed
  summary.csv       per model and metric: mean and sd over folds, 95 % interval over
                    patients (bootstrap)
  paired.csv        differences to the first model on the same patients, with intervals
  noise_floor.csv   how far random scores stray from 0.5 on these very folds
  metrics.csv       per model, fold and seed: patients, events, comparable pairs,
                    concordance and other measures
  predictions.csv   out-of-fold risk of every patient (higher: earlier event)
  modalities.csv    of networks: out-of-fold risk with and without each modality
  folds.csv         the fold in which each patient is tested; --folds takes it again
  fold_summary.csv  patients, events and sites of each fold
  fits.csv          seconds of each fit, and the penalty that was chosen
  run.json          command, parameters, versions and digests of the data
  cache/            finished fits: an interrupted command, given again, goes on from there

example:
  sksurv-tta evaluate --bags features_uni/ --expression rna.csv \\
      --outcomes clinical.csv --time dss_days --event dss --site site \\
      --pathways hallmark.gmt --models tta,tta-genes,tta-bags,ridge-both \\
      --times 365,1095 --out results/"""

FIT = """\
Fits TTASurvivalEstimator on all patients and writes it to one file, which holds numbers
and names but no code."""

FIT_EXAMPLE = """\
example:
  sksurv-tta fit --bags features_uni/ --expression rna.csv --outcomes clinical.csv \\
      --time dss_days --event dss --site site --pathways hallmark.gmt \\
      --set max_epochs=20 --out model.safetensors"""

PREDICT = """\
Writes a CSV with a row per patient: id, risk (higher: earlier event; comparable only
within one model) and, with --times, the probability to be free of the event until then."""

PREDICT_EXAMPLE = """\
The table of patients needs ids (and a column slide_id if the feature files are not named
after the patients), but no outcomes. Give the same kinds of data as to 'fit'; a patient
may lack slides or expression.

example:
  sksurv-tta predict --model model.safetensors --bags new_features/ \\
      --expression new_rna.csv --outcomes patients.csv --times 365,1095 --out risks.csv"""

PACK = """\
Reads the slides of every patient once and writes one flat file, which is read many times
faster in training. Give the store as --bags afterwards."""

PACK_EXAMPLE = """\
example:
  sksurv-tta pack --bags features_uni/ --outcomes clinical.csv --out features_uni.store"""

DEMO = """\
Writes a simulated cohort to OUT/data (TRIDENT .h5 features, expression and clinical CSV,
a GMT file), then runs 'evaluate' on these files into OUT/results and prints the command.
In the simulation, histology and genes each know something that the other does not. Takes
one to three minutes."""

EXPLAIN = """\
Writes which prototypes patches and pathways belong to, how much each modality moves the
risk, and which patches and pathways the risk comes from. Explain patients on whom the
model was not fitted. Effects of modalities are those of the whole model; of an ensemble,
prototypes and contributions are those of its first network."""

EXPLAIN_OUT = """\
OUT receives (with --format parquet as .parquet)
  modalities.csv    per patient and modality: risk with and without it
  usage.csv         per patient, modality and prototype: share of tokens, mean weights
  cohort_usage.csv  the same on average over patients
  pathways.csv      per patient and pathway: first prototype, its weight, contribution
  pathway_prototypes.csv
                    per patient, pathway and prototype: weights by similarity (softmax),
                    by transport and mixed, and the rank
  anchors.csv       distances of prototype tokens to the anchors before and after APART
  completeness.csv  how exactly the contributions add up to the risk
  instances/        per patient: slide, place, first prototype, its weight, transported
                    share and contribution of every patch
  assignments/      with --assignments, per patient: all weights of all tokens
  geojson/          with --geojson, per slide: squares in pixels of full resolution;
                    open the image in QuPath and drop the file on it
  figures/          with --figures, as SVG and PNG

example:
  sksurv-tta explain --model model.safetensors --bags new_features/ \\
      --expression new_rna.csv --outcomes patients.csv --geojson --figures \\
      --images slides/ --out explained/"""
