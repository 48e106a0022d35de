"""The losses are what their formulas say, gradients and all."""

import pytest
import torch
from torch.nn import functional

from models_ml.algorithms.recommenders.sequential import losses

PEOPLE, WIDTH, ITEMS = 700, 16, 300


@pytest.fixture
def given():
    torch.manual_seed(3)
    states, table, bias = (
        torch.randn(*shape).requires_grad_()
        for shape in ((PEOPLE, WIDTH), (ITEMS, WIDTH), (ITEMS,))
    )
    weight = torch.rand(PEOPLE)
    return states, table, bias, torch.randint(ITEMS, (PEOPLE,)), weight / weight.sum()


def same(ours, theirs, leaves):
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    for one, other in zip(
        torch.autograd.grad(ours * 3, leaves), torch.autograd.grad(theirs * 3, leaves), strict=True
    ):
        assert torch.allclose(one, other, atol=1e-6)


def test_the_full_softmax_in_pieces_is_cross_entropy(given, monkeypatch):
    monkeypatch.setattr(losses, "PIECE", ITEMS * 256)
    states, table, bias, answer, weight = given
    whole = functional.cross_entropy(states @ table.T + bias, answer, reduction="none")
    same(losses.softmax(*given), (whole * weight).sum(), (states, table, bias))


def against_the_drawn(given, drawn):
    states, table, bias, answer, _weight = given
    scores = states @ table[drawn.item].T + bias[drawn.item]
    own = (states * table[answer]).sum(1) + bias[answer]
    return scores, own, answer[:, None] == drawn.item


def test_a_sample_is_corrected_by_how_often_each_product_is_drawn(given):
    states, table, bias, _answer, weight = given
    drawn = losses.draw(torch.rand(ITEMS), 200)
    scores, own, clash = against_the_drawn(given, drawn)
    scores = (scores - drawn.lowered).masked_fill(clash, -torch.inf)
    each = torch.logsumexp(torch.cat([own[:, None], scores], 1), 1) - own
    same(losses.sampled_softmax(*given, drawn), (each * weight).sum(), (states, table, bias))


def test_samples_are_right_on_average(given):
    states, *rest = given
    states = states.detach() * 0.2
    whole = losses.softmax(states, *rest).item()
    chance = torch.rand(ITEMS) + 0.2
    drawn = [
        losses.sampled_softmax(states, *rest, losses.draw(chance, 200)).item() for _ in range(40)
    ]
    assert sum(drawn) / len(drawn) == pytest.approx(whole, rel=0.02)


def test_the_positive_of_gbce_is_weakened_as_its_paper_says(given):
    states, table, bias, _answer, weight = given
    drawn = losses.draw(torch.ones(ITEMS) / ITEMS, 60)
    scores, own, clash = against_the_drawn(given, drawn)
    k = len(drawn.item)
    rate = k / (ITEMS - 1)
    beta = rate * ((1 - 1 / rate) * 0.75 + 1 / rate)
    no = functional.softplus(scores).masked_fill(clash, 0.0).sum(1)
    each = (no - beta * functional.logsigmoid(own)) / (k + 1)
    same(losses.gbce(*given, drawn, 0.75), (each * weight).sum(), (states, table, bias))
