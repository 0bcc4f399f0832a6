"""Settings shared by all tests: one thread a process, so that figures do not depend on the machine."""

import torch

torch.set_num_threads(1)
