import torch
from torch.nn import functional

from sksurv_tta.estimators.mmp import MMPNetwork, TokenwiseFeedForward

#: As many genes as the 50 Hallmark sets list, 7,110; how they are divided does not matter here.
HALLMARK = [range(142)] * 49 + [range(152)]


def test_it_has_the_published_number_of_parameters():
    """Without the layer norm of 288 numbers that the authors make and never use."""
    with torch.device("meta"):
        network = MMPNetwork(1024, HALLMARK)
    assert sum(p.numel() for p in network.parameters()) == 8_550_208


def test_every_token_has_a_block_of_its_own():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        block = TokenwiseFeedForward(3, 4, 0.1).eval()
        tokens = torch.randn(2, 3, 4)
        torch.nn.init.normal_(block.norm_weight)
    got = block(tokens)
    for number in range(3):
        normed = functional.layer_norm(
            tokens[:, number], (4,), block.norm_weight[number], block.norm_bias[number]
        )
        hidden = functional.gelu(normed @ block.weights[0, number] + block.biases[0, number])
        expected = hidden @ block.weights[1, number] + block.biases[1, number]
        torch.testing.assert_close(got[:, number], expected)
