"""Compares what our operators, losses and optimisers compute with PyTorch.

torch_parity.py CASES    CASES is the program that writes the cases (torch_cases)

Ends with 0 where all agree, 1 where one differs, 77 where PyTorch cannot be imported.
"""

import json
import os
import subprocess
import sys

SKIPPED = 77
INTERPRETERS = ("python3", "/usr/bin/python3")
TRIED = "TORCH_PARITY_TRIED"

try:
    import torch
    from torch import nn
except ImportError:
    # PyTorch may belong to another interpreter than the one that CMake found.
    if not os.environ.get(TRIED):
        for other in INTERPRETERS:
            have = subprocess.run([other, "-c", "import torch"], capture_output=True, check=False)
            if have.returncode == 0:
                os.environ[TRIED] = "1"
                os.execvp(other, [other, *sys.argv])
    print("skipped: PyTorch is not installed")
    sys.exit(SKIPPED)

BOUND = 1e-4  # of |difference| / (1 + |PyTorch's|)


def off(ours, theirs):
    theirs = theirs.detach().reshape(-1).to(torch.float64)
    ours = torch.tensor(ours, dtype=torch.float64).reshape(-1)
    if ours.shape != theirs.shape:
        return float("inf")
    return ((ours - theirs).abs() / (1 + theirs.abs())).max().item() if len(ours) else 0.0


def layer(case):
    """The largest differences of output and gradients."""
    module = eval(case["module"])  # pylint: disable=eval-used  (our own program wrote it)
    module.train(case["training"])
    named = {name.split(".")[-1]: value for name, value in module.named_parameters()}
    for each in case["parameters"]:
        named[each["name"]].data = torch.tensor(each["values"]).reshape(each["shape"])
    x = torch.tensor(case["input"]).reshape(case["input_shape"])
    x = x.long() if case["ids"] else x.requires_grad_()
    y = module(x)
    if isinstance(y, tuple):
        y = y[0]
        if len(case["output_shape"]) == 2:
            y = y[:, -1]
    (y * torch.tensor(case["slope"]).reshape(case["output_shape"])).sum().backward()
    yield "output", off(case["output"], y)
    if not case["ids"]:
        yield "input gradient", off(case["input_gradient"], x.grad)
    for each in case["parameters"]:
        yield "gradient of " + each["name"], off(each["gradient"], named[each["name"]].grad)
    if case["statistics"]:
        running = torch.cat([module.running_mean, module.running_var])
        yield "statistics", off(case["statistics"], running)


def criterion(case):
    outputs = torch.tensor(case["outputs"]).reshape(case["output_shape"]).requires_grad_()
    targets = torch.tensor(case["targets"]).reshape(case["target_shape"])
    given = outputs
    if case["classes"]:
        given, targets = outputs.flatten(0, -2), targets.long().flatten()
    mean = eval(case["criterion"])(given, targets)  # pylint: disable=eval-used
    mean.backward()
    yield "loss", off([case["mean"]], mean)
    yield "gradient", off(case["gradient"], outputs.grad)


def optimiser(case):
    value = torch.tensor(case["start"]).requires_grad_()
    # pylint: disable-next=eval-used
    made = eval("torch.optim." + case["optimiser"], {"torch": torch, "p": [value]})
    for gradient in case["gradients"]:
        value.grad = torch.tensor(gradient)
        made.step()
    yield "parameters", off(case["end"], value)


def main():
    lines = subprocess.run([sys.argv[1]], capture_output=True, text=True, check=True).stdout
    wrong = count = 0
    for line in lines.splitlines():
        case = json.loads(line)
        for kind in (layer, criterion, optimiser):
            name = case.get({"layer": "module"}.get(kind.__name__, kind.__name__))
            if name is None:
                continue
            for what, difference in kind(case):
                count += 1
                if not difference <= BOUND:
                    wrong += 1
                    print(f"{case['backend']}: {name}: {what} differs by {difference:.2g}")
    print(f"{count} arrays compared with PyTorch {torch.__version__}, {wrong} differ")
    return 1 if wrong or count < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
