"""Input at the edge: what no scale describes, what is flat, what is far too large."""

import numpy as np
import pytest
from each import each
from refusals import refused

import keyfilters as kf
from keyfilters.cli import main
from keyfilters.filter_files import load_filters
from keyfilters.fitting.variance import match_variance


@pytest.mark.parametrize(("key", "method", "source"), [(2, "D2", 7), (3, "D1", 7), (4, "C2", 1)], ids=["D2", "D1", "C2"])
def test_a_fit_never_leaves_the_scales_that_were_searched(key, method, source):
    """The filter of another key: the objective falls as far as it was searched, and the fit says so."""
    found = kf.fit(key, method, filter=kf.learned_filters()[source])
    assert max(found.sigma_x, found.sigma_y) == 3.0
    assert not found.converged
    difference = found.model() - kf.normalize(kf.learned_filters()[source], key)
    norm = np.abs(difference).sum() if method[0] == "C" else (difference**2).sum()
    assert found.objective == pytest.approx(norm, rel=1e-12)


@pytest.mark.parametrize("h", [np.random.default_rng(3).normal(size=(3, 3)) * 0.3, np.ones((7, 7))], ids=["3x3", "ones"])
def test_a_plateau_is_one_minimum(h):
    found = kf.fit(1, "C1", filter=h, normalized=True)
    assert found.certificate.starts < 100
    assert found.certificate.kind == "kink" or not found.converged


def test_a_window_in_which_all_scales_have_one_variance_determines_none():
    sigma, _, found = match_variance("forward", 0.25, 3, "crop")
    assert (sigma, found) == (0.0, False)
    fit = kf.fit(1, "B", filter=kf.ideal_filter(1, 0.9, 1.3, size=3), normalized=True)
    assert not fit.converged


def test_method_b_finds_the_scale_zero():
    fit = kf.fit(5, "B", filter=kf.ideal_filter(5, 0.0, 0.6), normalized=True)
    assert fit.converged and fit.sigma_x == 0.0 and abs(fit.sigma_y - 0.6) < 1e-9


def test_the_grid_search_finds_a_negative_gamma():
    h = kf.ideal_filter(7, 0.7, gamma=-0.3)
    fit = kf.fit(7, "D1", filter=h, normalized=True, search="grid")
    assert abs(fit.gamma + 0.3) < 0.02


@each(
    ("call", "message"),
    [
        (lambda: kf.objective_map(8, [0.5], [50.0]), "second goes up to 50: expected scales up to 3"),
        (lambda: kf.objective_map(1, [], [0.5]), "first has shape"),
        (lambda: kf.objective_map(7, 0.5, []), "second has shape"),
        (lambda: kf.objective_map(7, [[0.5]], [0.5]), "first has shape"),
        (lambda: kf.discrete_gaussian(10**400), "expected a finite number"),
        (lambda: kf.discrete_gaussian(np.complex128(1)), "expected a finite number"),
        (lambda: kf.discrete_gaussian(1e9), "at most 10000"),
        (lambda: kf.spread(kf.learned_filters()[0] * 1e200), "between 1e-100 and 1e100"),
        (lambda: kf.spread(np.zeros((3, 3), "datetime64[s]")), "not an array of real numbers"),
        (lambda: kf.normalized_filters(["published"]), "unknown dc"),
        (lambda: kf.dc_error(kf.learned_filters()[7], [np.nan]), "constants is nan"),
        (lambda: kf.monomial_response(np.eye(3), 1, 0, centre=1.0), "centre has shape"),
        (lambda: kf.monomial_response(np.eye(3), 1, 0, centre=(np.nan, 0)), "centre is nan"),
        (lambda: kf.difference(1.0, "forward"), "expected an array with the axis -1"),
        (lambda: kf.difference([1j, 2], "forward"), "expected a finite number"),
        (lambda: kf.differences.laplacian([1.0, 2.0]), "expected an array with the axis -2"),
        (lambda: kf.ideal_filter(1, [0.5, 0.6], [0.5, 0.6, 0.7]), "expected shapes that broadcast"),
        (lambda: load_filters(None), "expected the name of a file"),
        (lambda: load_filters("a" * 300 + ".npy"), "cannot be read"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(call, message):
    refused(call, message)


def test_a_number_is_as_good_as_an_array_of_one():
    h = kf.learned_filters()[7]
    assert kf.dc_error(h, -0.0386) == kf.dc_error(h, [-0.0386])


def test_the_command_says_whether_a_fit_converged(tmp_path, run):
    path = tmp_path / "eight.npy"
    np.save(path, kf.learned_filters()[7])
    assert '"converged": false' in run("fit", "--filters", path, "--key", "2", "--method", "D2", "--json")[1]


def test_a_full_disk_is_one_line(capsys, monkeypatch):
    import sys

    class Full:
        def write(self, text):
            raise OSError(28, "No space left on device")

        def flush(self):
            pass

        def fileno(self):
            return 99

    monkeypatch.setattr(sys, "stdout", Full())
    monkeypatch.setattr("os.dup2", lambda *_: None)
    assert main(["fit", "--key", "8", "--method", "A"]) == 2
    assert capsys.readouterr().err == "keyfilters: the output cannot be written: No space left on device\n"
