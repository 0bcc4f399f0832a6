"""The network of the paper for one patient at a time, written from its equations in double precision.

It borrows from the package nothing but the parameters, by their names, and the transport solver,
which has references of its own. No padding, no groups, no cut in the graph: plain automatic
differentiation through everything.
"""

import torch

from sksurv_tta.transport import curriculum_transport

TOLERANCE = 1e-12


def unit(rows):
    return rows / rows.square().sum(dim=-1, keepdim=True).sqrt()


def log_softmax(rows):
    shifted = rows - rows.max(dim=-1, keepdim=True).values
    return shifted - shifted.exp().sum(dim=-1, keepdim=True).log()


def leaky(values):
    return torch.where(values > 0, values, 0.1 * values)


def gelu(values):
    return values * 0.5 * (1 + torch.erf(values / 2**0.5))


def layer_norm(rows, p, name):
    centred = rows - rows.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)
    return centred / (variance + 1e-5).sqrt() * p[f"{name}.weight"] + p[f"{name}.bias"]


def linear(rows, p, name):
    result = rows @ p[f"{name}.weight"].T
    return result + p[f"{name}.bias"] if f"{name}.bias" in p else result


def attention_layer(rows, p, name, n_heads):
    """Pre-norm self-attention and feed-forward block on one set of rows."""
    normed = linear(layer_norm(rows, p, f"{name}.attention_norm"), p, f"{name}.to_queries_keys_values")
    queries, keys, values = normed.chunk(3, dim=1)
    width = rows.shape[1] // n_heads
    heads = []
    for head in range(n_heads):
        part = slice(head * width, (head + 1) * width)
        scores = queries[:, part] @ keys[:, part].T / width**0.5
        heads.append(log_softmax(scores).exp() @ values[:, part])
    rows = rows + linear(torch.cat(heads, dim=1), p, f"{name}.from_heads")
    hidden = gelu(linear(layer_norm(rows, p, f"{name}.feedforward_norm"), p, f"{name}.feedforward.0"))
    return rows + linear(hidden, p, f"{name}.feedforward.2")


class NaiveNetwork:
    """Losses and risks of patients from a network's own parameters."""

    def __init__(self, network, pathways, **options):
        self.p = dict(network.named_parameters())
        self.leading = network.together.selected_heads.tolist()
        self.mass = network.mass.item()
        self.pathways = pathways
        self.options = {
            "prototype_temperature": 0.5,
            "assignment_mix": 0.5,
            "kl_weight": 0.1,
            "epsilon": 0.1,
            "joint_transport": True,
            "contrastive_temperature": 0.1,
            "instance_weight": 0.5,
            "contrastive_weight": 0.5,
            "agreement_weight": 0.01,
            "refiner_layers": 1,
            "coattention_layers": 1,
        } | options
        self.n_attention_heads = network.fuse.coattention[0].n_heads

    # Section 3.1

    def pathway_tokens(self, profile):
        """Eq. (1) and Eq. (2), gene by gene."""
        tokens = []
        for number, genes in enumerate(self.pathways):
            token = self.p["pathway_encoder.bias"][number]
            for place, gene in enumerate(genes):
                token = token + profile[gene] * self.p["pathway_encoder.weight"][number, place]
            tokens.append(leaky(token))
        return torch.stack(tokens)

    def tokens(self, patient):
        """Tokens of each modality, None where it is missing."""
        encoded = [
            None if bag is None else leaky(linear(bag, self.p, f"instance_encoders.{m}.linear"))
            for m, bag in enumerate(patient["bags"])
        ]
        if self.pathways is not None:
            profile = patient["profile"]
            encoded.append(None if profile is None else self.pathway_tokens(profile))
        return encoded

    # Section 3.2

    def logits(self, modality, head, tokens):
        """Eq. (3)."""
        banks = self.p["together.prototypes"]
        bank = banks[0] if len(banks) == 1 else banks[modality]
        projected = unit(linear(tokens, self.p, f"together.heads.{modality}.{head}"))
        return projected @ unit(bank).T / self.options["prototype_temperature"]

    def plan(self, logits, mass):
        """Eq. (4) and Eq. (8): plan of one stack of tokens."""
        return curriculum_transport(
            -log_softmax(logits.detach()),
            mass,
            kl_weight=self.options["kl_weight"],
            epsilon=self.options["epsilon"],
            tol=TOLERANCE,
        ).plan

    def transported(self, logits):
        """Rows of N_tot Q for each modality: Eq. (5) and the split after Eq. (11)."""
        real = [rows for rows in logits if rows is not None]
        if self.options["joint_transport"]:
            stacked = torch.cat(real)
            parts = iter((len(stacked) * self.plan(stacked, self.mass)).split([len(rows) for rows in real]))
        else:
            parts = iter([len(rows) * self.plan(rows, self.mass) for rows in real])
        return [None if rows is None else next(parts) for rows in logits]

    def together(self, encoded):
        """Prototype tokens of each modality, and the instance loss: Eqs. (12) to (15)."""
        logits = [
            None if rows is None else self.logits(m, self.leading[m], rows) for m, rows in enumerate(encoded)
        ]
        mix = self.options["assignment_mix"]
        prototype_tokens, instance = [], 0.0
        for rows, own, target in zip(encoded, logits, self.transported(logits), strict=True):
            if rows is None:
                prototype_tokens.append(None)
                continue
            weights = (1 - mix) * log_softmax(own).exp() + mix * target
            sums = [sum(weights[i, k] * rows[i] for i in range(len(rows))) for k in range(weights.shape[1])]
            prototype_tokens.append(torch.stack(sums))
            instance = instance - (target * log_softmax(own)).sum() / len(rows)
        return prototype_tokens, instance

    def agreement(self, encoded, pick):
        """Appendix B with the views that ``pick(n_rows, n_wanted, which)`` names."""
        total = 0.0
        for modality, rows in enumerate(encoded):
            if rows is None:
                continue
            rows = rows[pick(len(rows), 1024, 0)]
            n_heads = sum(name.startswith(f"together.heads.{modality}.") for name in self.p) // 2
            losses = []
            for head in range(n_heads):
                size = max(1, round(0.8 * len(rows)))
                views = [self.logits(modality, head, rows[pick(len(rows), size, which)]) for which in (1, 2)]
                masses = [self.plan(view, self.mass).sum(dim=0) / self.mass for view in views]
                predictions = [log_softmax(view).exp().mean(dim=0) for view in views]
                losses.append(
                    -(masses[0] * predictions[1].log()).sum() / 2
                    - (masses[1] * predictions[0].log()).sum() / 2
                )
            total = total + sum(losses) / n_heads
        return total

    # Section 3.3

    def refined(self, prototype_tokens):
        """Eq. (16) and Eq. (17)."""
        result = []
        for modality, rows in enumerate(prototype_tokens):
            if rows is not None:
                anchor = self.p["apart.anchors"][modality]
                rows = torch.cat(
                    [unit(linear(rows, self.p, f"apart.to_anchor_space.{modality}")), anchor[None]]
                )
                for layer in range(self.options["refiner_layers"]):
                    rows = attention_layer(rows, self.p, f"apart.refiner.{layer}", self.n_attention_heads)
                rows = rows[:-1]
            result.append(rows)
        return result

    def phi(self, vector):
        """Two-layer projection to unit length."""
        hidden = linear(vector, self.p, "apart.project_for_contrast.0").clamp(min=0)
        return unit(linear(hidden, self.p, "apart.project_for_contrast.2"))

    def contrast(self, refined):
        """Eq. (18) and Eq. (19) of one patient."""
        anchors = [self.phi(anchor) for anchor in self.p["apart.anchors"]]
        total = 0.0
        for own, rows in enumerate(refined):
            if rows is not None:
                feature = self.phi(rows.mean(dim=0))
                scores = torch.stack([feature @ anchor for anchor in anchors])
                total = total - log_softmax(scores / self.options["contrastive_temperature"])[own]
        return total

    # Section 3.4

    def log_risk(self, refined):
        """Co-attention, pooling, fusion and the risk head of one patient."""
        rows = torch.cat([part for part in refined if part is not None])
        for layer in range(self.options["coattention_layers"]):
            rows = attention_layer(rows, self.p, f"fuse.coattention.{layer}", self.n_attention_heads)
        parts = iter(rows.split([len(part) for part in refined if part is not None]))
        pooled = [torch.zeros_like(rows[0]) if part is None else next(parts).mean(dim=0) for part in refined]
        return linear(gelu(linear(torch.cat(pooled), self.p, "fuse.fuse.0")), self.p, "fuse.head")

    def losses(self, patients, outcome, *, view_weights=None, pick=None):
        """Risks, every loss part, and the objective of Eq. (20)."""
        risks, parts = [], {"instance": 0.0, "contrast": 0.0, "agreement": 0.0}
        for number, patient in enumerate(patients):
            encoded = self.tokens(patient)
            prototype_tokens, instance = self.together(encoded)
            refined = self.refined(prototype_tokens)
            risks.append(self.log_risk(refined))
            parts["instance"] += instance / len(patients)
            if len(refined) > 1:
                parts["contrast"] += self.contrast(refined) / len(patients)
            if view_weights is not None and view_weights[number]:
                parts["agreement"] += view_weights[number] * self.agreement(encoded, pick) / len(patients)
        risk = torch.cat(risks)
        parts["survival"] = cox(risk, outcome.time, outcome.event)
        total = (
            parts["survival"]
            + self.options["contrastive_weight"] * parts["contrast"]
            + self.options["instance_weight"] * parts["instance"]
            + self.options["agreement_weight"] * parts["agreement"]
        )
        return risk, parts, total


def cox(risk, time, event):
    """Eq. (56), a double loop."""
    terms = [
        risk[i] - torch.stack([risk[j] for j in range(len(risk)) if time[j] >= time[i]]).logsumexp(0)
        for i in range(len(risk))
        if event[i]
    ]
    return -sum(terms) / len(terms) if terms else 0 * risk.sum()


def as_naive_patients(data):
    """Patients of a dataset as the naive network takes them."""
    return [
        {
            "bags": [
                None if column[i] is None else torch.as_tensor(column[i].read()).double()
                for column in data.bags
            ],
            "profile": data.profiles[i].double()
            if data.profiles is not None and data.has_profile[i]
            else None,
        }
        for i in range(len(data))
    ]
