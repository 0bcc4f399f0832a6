"""TTASurvivalEstimator: the method "Together, Then Apart" as a survival estimator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from os import PathLike
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from sksurv_tta.estimators.ensembles import EnsembleEstimator
from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.networks import TTANetwork
from sksurv_tta.transport import ASSIGNMENTS

__all__ = ["TTASurvivalEstimator"]

#: Parameters that the network takes under the same name.
NETWORK_PARAMETERS = (
    "n_prototypes",
    "prototype_dim",
    "token_dim",
    "n_heads",
    "prototype_temperature",
    "together",
    "shared_prototypes",
    "joint_transport",
    "assignment",
    "kl_weight",
    "epsilon",
    "mass_base",
    "mass_upper",
    "mass_ramp_epochs",
    "assignment_mix",
    "instance_weight",
    "agreement_weight",
    "apart",
    "anchor_refinement",
    "refiner_layers",
    "contrastive_weight",
    "contrastive_temperature",
    "coattention_layers",
    "dropout",
)


class TTASurvivalEstimator(EnsembleEstimator):
    r"""Survival prediction from bags of instances and gene expression: "Together, Then Apart".

    A patient is a bag of histology feature vectors and an expression profile grouped in pathways.
    *Together* assigns the tokens of all modalities to shared prototypes by unbalanced optimal
    transport, whose transported mass follows a curriculum. *Apart* keeps the modalities distinct
    by anchors and a contrast. Co-attention fuses them to a log risk :math:`r`, trained by

    .. math::

        \mathcal L = \mathcal L_{\text{surv}} + \lambda_{\text{contrast}} \mathcal L_{\text{contrast}}
            + \lambda_{\text{inst}} \mathcal L_{\text{instance}}
            + \lambda_{\text{agree}} \mathcal L_{\text{agreement}},

    Eq. (20) of the paper with the agreement term of its appendix B.

    Parameters
    ----------
    pathways : path, dict of str to list of str, or None, default=None
        A GMT file, or name -> genes. Genes are looked up among the numeric columns of X by name;
        those that belong to no pathway are ignored. None takes all numeric columns as one group.
    recipe : {"robust", "paper"}, default="robust"
        What those parameters mean that are None. "paper" is exactly the paper. "robust" is for
        cohorts of some hundred patients, on which the paper's settings lose to ridge-Cox: small
        networks whose risk sets are the whole training part, an ensemble whose members are tried
        on patients they have not seen, and a linear Cox path beside it. ``docs/accuracy.md`` has
        the evidence. Each default below is given as robust / paper.
    n_prototypes : int or None, default=None (8 / 32)
        Number K of prototypes.
    prototype_dim : int or None, default=None (32 / 256)
        Width D' of the shared prototype space.
    token_dim : int or None, default=None (32 / 256)
        Width D of the encoded tokens.
    n_heads : int or None, default=None (1 / 5)
        Projection heads per modality, of which the one whose assignments agree best between two
        random views of a bag leads. 1 switches the comparison off.
    prototype_temperature : float, default=0.5
        Temperature of the token-prototype logits, Eq. (3).
    together : bool, default=True
        False: every modality has its own prototypes, and there is no transport.
    shared_prototypes : bool, default=True
        False: every modality has its own prototypes.
    joint_transport : bool, default=True
        False: every modality has its own transport plan.
    assignment : {"curriculum", "unbalanced", "balanced", "kmeans", "softmax"}, default="curriculum"
        How tokens are assigned to prototypes: unbalanced transport with the mass curriculum; the
        same with all mass from the start; balanced transport; each token to its nearest
        prototype; the softmax of the logits.
    kl_weight : float, default=0.1
        Weight :math:`\gamma` that pulls the use of the prototypes towards uniform, Eq. (8).
    epsilon : float, default=0.1
        Entropic regularisation of the transport.
    mass_base, mass_upper : float, default=0.1 and 1.0
        Transported mass at the first step, and from the end of the ramp on, Eq. (9).
    mass_ramp_epochs : float, default=10
        Length of the ramp in epochs.
    assignment_mix : float, default=0.5
        Share :math:`\beta` of transport in the aggregation weights, Eq. (12).
    instance_weight : float, default=0.5
        Weight of the instance loss, Eq. (15).
    agreement_weight : float, default=0.01
        Weight of the agreement between two views of a bag (appendix B).
    apart : bool, default=True
        False: no anchors, no refiner, no contrast.
    anchor_refinement : bool, default=True
        False: tokens are not refined with their modality's anchor, Eq. (16).
    refiner_layers : int, default=1
        Self-attention layers of the refiner.
    contrastive_weight : float, default=0.5
        Weight of the contrast between modalities, Eq. (19); 0 leaves it out.
    contrastive_temperature : float, default=0.1
        Its temperature :math:`\tau_r`, Eq. (18).
    coattention_layers : int, default=1
        Co-attention layers over the tokens of all modalities.
    dropout : float, default=0.3
        In the encoders, on the attention layers' residual branches and before the risk head.
    loss : {"cox", "discrete", "nll"}, default="cox"
        Cox partial likelihood, Eq. (56), or discrete-time hazards, Eq. (55), also known as "nll".
    ties : {"breslow", "efron"}, default="breslow"
        How ``loss="cox"`` treats events at one time. It concerns the loss that networks are trained on;
        the linear path, the weights of the parts and the baseline hazard stay Breslow's.
    n_time_bins : int, default=4
        Time bins of ``loss="discrete"``: quantiles of the training events.
    max_epochs : int or None, default=None (10 / 30)
    batch_size : int or None, default=None (all patients / 32)
        Patients per step at the most; a Cox risk set is a batch. Batches are of equal size and
        number of events, as far as that goes.
    bag_size : int or None, default=4096
        Instances of a longer bag that take part in a training step, drawn anew each epoch.
        Prediction always uses all. None: all in training too.
    lr : float or None, default=None (1e-2 / 1e-4)
        Largest learning rate of AdamW.
    weight_decay : float, default=1e-5
    warmup_epochs : float or None, default=None (0 / 1)
        The learning rate rises linearly over these, then falls along a cosine to zero.
    clip_norm : float or None, default=5.0
        Largest norm of the gradient, of each member.
    n_members : int or None, default=None (8 / 1)
        Networks whose predictions are averaged. With ``loss="cox"`` each learns from all but one part
        of the training patients: whole sites if ``fit`` is given ``sites``, as many as members or more.
    view_losses : bool or None, default=None (True / False)
        Train on the prediction from each modality alone as well.
    linear_path : bool or None, default=None (True / False)
        Add the risk of a Cox model that is linear in the genes (without genes, in the mean of the
        bag) and whose penalty is that of the largest marginal likelihood; if ``fit`` is given
        ``sites``, with an effect of each site in it. Its weight and that of the network come from
        patients that neither has seen. Only for ``loss="cox"`` and two members or more: else None
        means False, and True is refused.
    profile_rank : int or None, default=None (64 / 0)
        Let the network see only so many principal components of the expression; 0 for all of it.
    standardise_instances : bool or None, default=None (True / False)
        Standardise the features of the instances on the training patients.
    validation_fraction : float or None, default=None
        Share of the training patients that is set aside to watch the loss and the concordance index
        in ``history_``: whole sites if ``fit`` is given ``sites``.
    early_stopping : bool, default=False
        Stop when the validation loss has not improved for ``n_iter_no_change`` epochs and go back
        to the best epoch. Sets aside 20 % if ``validation_fraction`` is None.
    n_iter_no_change : int, default=5
    device : str, default="auto"
        "auto" takes CUDA where there is one; otherwise a torch device such as "cpu" or "cuda:1".
    precision : {"float32", "bfloat16"}, default="float32"
        Of encoders and projections; logits, transport and losses are always in float32.
    low_memory : bool, default=False
        Embed every bag twice per step and hold one at a time; same gradients, half as slow again.
    checkpoint_dir : path or None, default=None
        Where to write a checkpoint after every epoch. ``fit`` with the same data and parameters
        then goes on where an earlier one was ended, and its result is the same bit by bit; if
        that one came to its end, the result is loaded without training. Each training has a
        subfolder of its own, named by a digest of data and parameters, so the fits of a grid
        search can share one ``checkpoint_dir``. With ``random_state=None`` the seed is the
        checkpoint's. Of the bags one instance each is compared, of up to 64. Callbacks of your own
        start anew. Delete the folder to train from the start.
    callbacks : list of skorch callbacks or None, default=None
    warm_start : bool, default=False
        A second ``fit`` goes on for ``max_epochs`` more instead of starting anew. Give an ensemble the
        same patients in the same order, and the same ``sites``: by them members know whom not to see.
        ``strata``, too, are given anew.
    random_state : int, RandomState or None, default=None
        The same integer gives the same bits on the same machine.
    verbose : int, default=0
        1 prints one line per epoch.

    Attributes
    ----------
    net_ : SurvivalNet
        The trained skorch net; ``net_.module_`` is the torch module, ``net_.module_.members`` are
        the networks of an ensemble.
    history_ : DataFrame
        A row per epoch: every part of the loss, the transported mass, the learning rate.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X has them.
    pathway_names_ : ndarray of str
        Pathways in use, in the order of the gene tokens.
    unique_times_ : ndarray of shape (n_times,)
        Distinct times seen in ``fit``, events and censorings.
    trained_with_ : dict
        Versions, device and number of threads of the training: what its bits depend on.
    cum_baseline_hazard_, baseline_survival_ : StepFunction
        Breslow's estimate for log risk zero; for ``loss="discrete"`` the training patients' mean.
    output_weights_ : Series
        What the log risks of ``"network"`` and ``"linear"`` path are multiplied with before they
        are added. Only for ``loss="cox"``.
    linear_coefficients_ : Series
        Log risk of the linear path for each standard deviation of a gene (without genes, of a
        feature of the mean instance). Only where there is a linear path.

    References
    ----------
    Liu et al., "Together, Then Apart: Revisiting Multimodal Survival Analysis via a Min-Max
    Perspective". ``docs/paper_map.md`` lists each equation and every deviation.

    Examples
    --------
    >>> from sksurv_tta import TTASurvivalEstimator
    >>> from sksurv_tta.datasets import make_cohort
    >>> cohort = make_cohort(60, random_state=0)
    >>> estimator = TTASurvivalEstimator(
    ...     pathways=cohort.pathways, token_dim=16, prototype_dim=16, n_prototypes=4,
    ...     max_epochs=2, random_state=0,
    ... )
    >>> estimator.fit(cohort.X, cohort.y).predict(cohort.X).shape
    (60,)
    """

    _repeating_parameters = ("n_members", "n_heads", "refiner_layers", "coattention_layers")

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **EnsembleEstimator._parameter_constraints,
        "n_prototypes": [Interval(Integral, 1, None, closed="left"), None],
        "prototype_dim": [Interval(Integral, 1, None, closed="left"), None],
        "token_dim": [Interval(Integral, 1, None, closed="left"), None],
        "n_heads": [Interval(Integral, 1, None, closed="left"), None],
        "prototype_temperature": [Interval(Real, 0, None, closed="neither")],
        "together": ["boolean"],
        "shared_prototypes": ["boolean"],
        "joint_transport": ["boolean"],
        "assignment": [StrOptions(set(ASSIGNMENTS))],
        "kl_weight": [Interval(Real, 0, None, closed="neither")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "mass_base": [Interval(Real, 0, 1, closed="right")],
        "mass_upper": [Interval(Real, 0, 1, closed="right")],
        "mass_ramp_epochs": [Interval(Real, 0, None, closed="left")],
        "assignment_mix": [Interval(Real, 0, 1, closed="both")],
        "instance_weight": [Interval(Real, 0, None, closed="left")],
        "agreement_weight": [Interval(Real, 0, None, closed="left")],
        "apart": ["boolean"],
        "anchor_refinement": ["boolean"],
        "refiner_layers": [Interval(Integral, 0, None, closed="left")],
        "contrastive_weight": [Interval(Real, 0, None, closed="left")],
        "contrastive_temperature": [Interval(Real, 0, None, closed="neither")],
        "coattention_layers": [Interval(Integral, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        *,
        pathways: str | PathLike[str] | Mapping[str, Sequence[str]] | None = None,
        recipe: str = "robust",
        n_prototypes: int | None = None,
        prototype_dim: int | None = None,
        token_dim: int | None = None,
        n_heads: int | None = None,
        prototype_temperature: float = 0.5,
        together: bool = True,
        shared_prototypes: bool = True,
        joint_transport: bool = True,
        assignment: str = "curriculum",
        kl_weight: float = 0.1,
        epsilon: float = 0.1,
        mass_base: float = 0.1,
        mass_upper: float = 1.0,
        mass_ramp_epochs: float = 10,
        assignment_mix: float = 0.5,
        instance_weight: float = 0.5,
        agreement_weight: float = 0.01,
        apart: bool = True,
        anchor_refinement: bool = True,
        refiner_layers: int = 1,
        contrastive_weight: float = 0.5,
        contrastive_temperature: float = 0.1,
        coattention_layers: int = 1,
        dropout: float = 0.3,
        loss: str = "cox",
        ties: str = "breslow",
        n_time_bins: int = 4,
        max_epochs: int | None = None,
        batch_size: int | None = None,
        bag_size: int | None = 4096,
        lr: float | None = None,
        weight_decay: float = 1e-5,
        warmup_epochs: float | None = None,
        clip_norm: float | None = 5.0,
        n_members: int | None = None,
        view_losses: bool | None = None,
        linear_path: bool | None = None,
        profile_rank: int | None = None,
        standardise_instances: bool | None = None,
        validation_fraction: float | None = None,
        early_stopping: bool = False,
        n_iter_no_change: int = 5,
        device: str = "auto",
        precision: str = "float32",
        low_memory: bool = False,
        checkpoint_dir: str | PathLike[str] | None = None,
        callbacks: list[Any] | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.pathways = pathways
        self.recipe = recipe
        self.n_prototypes = n_prototypes
        self.prototype_dim = prototype_dim
        self.token_dim = token_dim
        self.n_heads = n_heads
        self.prototype_temperature = prototype_temperature
        self.together = together
        self.shared_prototypes = shared_prototypes
        self.joint_transport = joint_transport
        self.assignment = assignment
        self.kl_weight = kl_weight
        self.epsilon = epsilon
        self.mass_base = mass_base
        self.mass_upper = mass_upper
        self.mass_ramp_epochs = mass_ramp_epochs
        self.assignment_mix = assignment_mix
        self.instance_weight = instance_weight
        self.agreement_weight = agreement_weight
        self.apart = apart
        self.anchor_refinement = anchor_refinement
        self.refiner_layers = refiner_layers
        self.contrastive_weight = contrastive_weight
        self.contrastive_temperature = contrastive_temperature
        self.coattention_layers = coattention_layers
        self.dropout = dropout
        self.loss = loss
        self.ties = ties
        self.n_time_bins = n_time_bins
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.bag_size = bag_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.warmup_epochs = warmup_epochs
        self.clip_norm = clip_norm
        self.n_members = n_members
        self.view_losses = view_losses
        self.linear_path = linear_path
        self.profile_rank = profile_rank
        self.standardise_instances = standardise_instances
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.device = device
        self.precision = precision
        self.low_memory = low_memory
        self.checkpoint_dir = checkpoint_dir
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def _validate_params(self) -> None:
        super()._validate_params()
        if self.mass_base > self.mass_upper:
            raise ValueError(f"mass_base ({self.mass_base}) must not exceed mass_upper ({self.mass_upper}).")

    def _build_member(self, schema: InputSchema, n_outputs: int) -> TTANetwork:
        options = {name: self._setting(name) for name in NETWORK_PARAMETERS}
        pathways = schema.pathways if schema.has_genes else None
        return TTANetwork(schema.bag_widths, pathways, n_outputs=n_outputs, **options)
