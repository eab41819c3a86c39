"""Fixed first layers, the linear classifier behind them, and invariance."""

import numpy as np
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import message as said
from refusals import refused
from scipy.ndimage import convolve as ndimage_convolve

from keyfilters import learned_filters
from keyfilters_book.representations import banks, invariance, multiscale
from keyfilters_book.representations.classifier import compare_pairs, fit_classifier
from keyfilters_book.representations.features import REPRESENTATIONS, feature_seconds, representation
from keyfilters_book.significance import holm

ALL = sorted(REPRESENTATIONS)


def images(n, seed=0):
    """Blobs at random places, zero at the border: something between noise and clothes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:28, :28]
    centre, width = rng.uniform(9, 19, size=(n, 2, 1, 1)), rng.uniform(1, 4, size=(n, 2, 1, 1))
    blob = np.exp(-(((x - centre[:, 0]) / width[:, 0]) ** 2) - ((y - centre[:, 1]) / width[:, 1]) ** 2)
    return np.where(blob > 0.02, blob, 0).astype(np.float32)


@pytest.mark.parametrize("name", ALL)
def test_each_row_of_the_table(name):
    phi, x = representation(name), images(5)
    found = phi(x)
    assert found.shape == (5, phi.features) and found.dtype == np.float32 and np.isfinite(found).all()
    # One by one or all together, the features are the same.
    assert np.allclose(phi(x, batch=2), found, atol=1e-5)
    assert np.ptp(found, axis=0).max() > 1e-3
    # A positive factor goes through linear filters, the modulus and averages.
    assert np.allclose(phi(2 * x), 2 * found, rtol=1e-4, atol=1e-5)
    assert phi.multiply_adds >= 0


@given(st.integers(0, 2**31))
@settings(max_examples=10, deadline=None)
def test_wavelets_and_curvelets_keep_the_energy(seed):
    x = np.random.default_rng(seed).normal(size=(2, 32, 32))
    energy = (x**2).sum(axis=(1, 2))
    low, details = multiscale.orthonormal_wavelets(x)
    assert np.allclose((low**2).sum(axis=(1, 2)) + (details**2).sum(axis=(1, 2)), energy, rtol=1e-10)
    low, details = multiscale.wavelet_maps(x)
    weight, weights = multiscale.wavelet_weights()
    parts = ((weight * low) ** 2).sum(axis=(1, 2, 3)), ((weights[:, None, None] * details) ** 2).sum(axis=(1, 2, 3))
    assert np.allclose(sum(parts), energy, rtol=1e-10)
    assert np.allclose(sum((np.abs(band) ** 2).sum(axis=(1, 2, 3)) for band in multiscale.curvelet_maps(x)), energy, rtol=1e-4)


def test_wavelets_at_all_shifts_hold_those_of_the_basis():
    x = np.random.default_rng(1).normal(size=(1, 32, 32))
    finest = multiscale.orthonormal_wavelets(x)[1][0, 0, -768:].reshape(3, 16, 16)
    maps = multiscale.wavelet_maps(x)[1][0, -3:]
    # Every coefficient of the basis is a sample of the map of its orientation, up to where the grid starts.
    for band, whole in zip(finest, maps, strict=True):
        starts = [np.abs(np.roll(whole, (i, j), (0, 1))[::2, ::2] - band).max() for i in range(-3, 4) for j in range(-3, 4)]
        assert min(starts) < 1e-10


def test_curvelets_of_the_package():
    from curvelets.numpy import UDCT

    x = images(1)
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2)))
    bands = [
        b
        for s in UDCT((32, 32), angular_wedges_config=np.array([[3, 3], [6, 6]])).forward(padded[0].astype(float))
        for d in s
        for b in d
    ]
    ours = multiscale.curvelet_maps(padded)
    assert len(bands) == len(ours) == 19
    assert all(np.allclose(a, b[0, 0], atol=1e-5) for a, b in zip(bands, ours, strict=True))


@given(st.sampled_from([1, 3, 7]), st.integers(0, 2**31))
@settings(max_examples=15, deadline=None)
def test_convolution_is_scipys(size, seed):
    rng = np.random.default_rng(seed)
    x, h = rng.normal(size=(7, 12, 10)), rng.normal(size=(3, size, size))
    found = banks.convolve(x, h)
    for i, j in ((0, 0), (6, 2)):
        assert np.allclose(found[i, j], ndimage_convolve(x[i], h[j], mode="constant"), atol=1e-12)


def test_banks_have_unit_norm_and_are_what_they_say():
    for name in banks.BANKS:
        assert np.allclose((banks.bank(name) ** 2).sum(axis=(1, 2)), 1)
    learned, ideal = (banks.bank(name).reshape(8, -1) for name in ("learned", "ideal"))
    assert np.allclose(
        np.abs(
            np.einsum(
                "ij,ij->i",
                learned,
                learned_filters().reshape(8, -1) / np.linalg.norm(learned_filters().reshape(8, -1), axis=1)[:, None],
            )
        ),
        1,
    )
    assert (np.abs(np.einsum("ij,ij->i", learned, ideal)) > 0.4).all()
    assert not np.allclose(banks.bank("random", seed=0), banks.bank("random", seed=1))


@given(st.integers(0, 2**31))
@settings(max_examples=10, deadline=None)
def test_halves_and_averages(seed):
    maps = np.random.default_rng(seed).normal(size=(2, 3, 8, 8))
    halves = banks.rectified(maps, "halves")
    assert np.array_equal(halves[:, :3] - halves[:, 3:], maps)
    assert np.array_equal(halves[:, :3] + halves[:, 3:], banks.rectified(maps, "modulus"))
    assert np.allclose(banks.average(maps, 2), maps.reshape(2, 3, 2, 4, 2, 4).mean(axis=(3, 5)))
    # Averages of averages are averages, so a coarse grid can be had from a fine one.
    assert np.allclose(banks.average(banks.average(maps, 4), 2), banks.average(maps, 2))
    assert np.allclose(banks.average(maps, 1)[..., 0, 0], maps.mean(axis=(2, 3)))


def problem(seed=0, n=160, d=6, classes=3):
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    return rng.normal(size=(n, d)) + 1.5 * rng.normal(size=(classes, d))[labels], labels


def test_the_classifier_is_scikit_learns():
    from sklearn.linear_model import Ridge

    f, labels = problem()
    ours = fit_classifier(f, labels, held=60)
    centred = f - f.mean(axis=0)
    penalty = ours.penalty * (centred**2).sum()
    theirs = Ridge(alpha=penalty).fit(f, np.eye(3)[labels])
    assert np.allclose(ours.scores(f), theirs.predict(f), atol=1e-9)
    for p, error in ours.validation.items():
        part = f[:100]
        model = Ridge(alpha=p * ((part - part.mean(axis=0)) ** 2).sum()).fit(part, np.eye(3)[labels[:100]])
        left = model.predict(f[100:])
        assert error == pytest.approx(((left - np.eye(3)[labels[100:]]) ** 2).sum(axis=1).mean(), rel=1e-8)
        if p == ours.penalty:
            assert ours.held_accuracy == (left.argmax(axis=1) == labels[100:]).mean()
    assert ours.penalty == min(ours.validation, key=ours.validation.get)
    assert (ours.predict(f) == labels).mean() > 0.6


@given(st.integers(0, 2**31), st.floats(0.01, 100))
@settings(max_examples=15, deadline=None)
def test_orthonormal_changes_factors_and_zeros_change_no_score(seed, factor):
    f, labels = problem(seed)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(6, 6)))[0]
    plain = fit_classifier(f, labels, held=60)
    for change in (lambda a: a @ turn, lambda a: factor * a, lambda a: np.pad(a, ((0, 0), (0, 4))), lambda a: a + 3):
        other = fit_classifier(change(f), labels, held=60)
        assert other.penalty == plain.penalty
        assert np.allclose(other.scores(change(f)), plain.scores(f), atol=1e-7)


def test_an_orthonormal_wavelet_basis_is_the_raw_image():
    x = images(300)
    labels = (x.sum(axis=(1, 2)) > np.median(x.sum(axis=(1, 2)))).astype(int)
    models = [(phi, fit_classifier(phi(x), labels, held=100)) for phi in map(representation, ("pixels", "wavelet basis"))]
    (raw, a), (basis, b) = models
    assert a.penalty == b.penalty and np.allclose(a.scores(raw(x)), b.scores(basis(x)), atol=1e-3)
    details = representation("wavelet basis", kind="modulus")
    assert np.abs(details(x) - basis(x)).max() > 0.1


def test_pairs_are_corrected_together():
    rng = np.random.default_rng(0)
    right = {name: rng.random(200) < share for name, share in (("a", 0.5), ("b", 0.55), ("c", 0.9))}
    rows = compare_pairs(right, [("a", "b"), ("a", "c"), ("b", "c")])
    p = np.array([row["p"] for row in rows])
    corrected = np.array([row["p_holm"] for row in rows])
    assert np.allclose(corrected, holm(p)) and (corrected >= p).all()
    assert rows[1]["difference"] == pytest.approx(right["c"].mean() - right["a"].mean())
    assert corrected[1] < 1e-6


def test_moves_are_what_they_say():
    x = images(4, seed=2)
    assert np.allclose(invariance.moved(x, "shift", 0.0), x, atol=1e-5)
    y, column = np.mgrid[:28, :28] - 13.5
    mass = x.sum(axis=(1, 2))

    def centre(a):
        return np.stack([(a * v).sum(axis=(1, 2)) / a.sum(axis=(1, 2)) for v in (y, column)])

    gone = centre(invariance.moved(x, "shift", 2.0)) - centre(x)
    assert np.allclose(np.hypot(*gone), 2, atol=0.05)
    turned = invariance.moved(x, "rotation", 30.0)
    assert np.allclose(np.hypot(*centre(turned)), np.hypot(*centre(x)), atol=0.05)
    cos = (centre(turned) * centre(x)).sum(axis=0) / np.hypot(*centre(x)) ** 2
    assert np.allclose(cos, np.cos(np.pi / 6), atol=0.02)
    assert np.allclose(invariance.moved(x, "scale", 0.8).sum(axis=(1, 2)), 0.64 * mass, rtol=0.02)
    assert np.allclose(centre(invariance.moved(x, "scale", 0.8)), 0.8 * centre(x), atol=0.05)


def test_invariance_of_the_mean_and_of_the_pixels():
    x = images(30)
    sets = invariance.moved_sets(x, moves={"shift": (1.0, 3.0)})

    class Same:
        def predict(self, features):
            return np.zeros(len(features))

    mean = invariance.curve(lambda a: a.mean(axis=(1, 2))[:, None], Same(), x, np.zeros(30), sets)
    pixels = invariance.curve(representation("pixels"), Same(), x, np.ones(30), sets)
    assert [row["amount"] for row in mean] == [0.0, 1.0, 3.0]
    assert max(row["normalised"] for row in mean) < 0.02
    assert 0 < pixels[1]["normalised"] < pixels[2]["normalised"]
    assert mean[0]["accuracy"] == 1 and pixels[0]["accuracy"] == 0


def test_wider_cells_change_less_under_a_shift():
    x = images(30)
    gone = invariance.moved(x, "shift", 2.0)
    relative = []
    for grid in (1, 2, 4, 8):
        phi = representation("ideal keys", grid=grid)
        relative.append(invariance.change(phi(x), phi(gone))["relative"])
    assert relative == sorted(relative)


def test_seconds_are_counted():
    found = feature_seconds(["pixels", "ideal keys"], images(40), repeats=1)
    assert set(found) == {"pixels", "ideal keys"} and found["ideal keys"] > 0


CONSTANT = np.ones((10, 3))


@each(
    ("call", "message"),
    [
        (lambda: representation("wavelet"), "unknown representation 'wavelet'"),
        (lambda: representation("pixels", kind="soft"), "unknown option 'kind': expected one of none at all"),
        (lambda: representation("curvelets", kind="soft"), "unknown kind of curvelets 'soft'"),
        (lambda: representation("ideal keys", count=7), "count is 7: expected 8"),
        (lambda: representation("ideal keys", grid=5), "grid is 5: expected a divisor"),
        (lambda: representation("pixels")(np.zeros((2, 32, 32))), "images has shape (2, 32, 32): expected (n, 28, 28)"),
        (lambda: banks.bank("learned", size=5), "size is 5: expected 7"),
        (lambda: banks.convolve(np.zeros((1, 8, 8)), np.zeros((1, 4, 4))), "filters has shape (1, 4, 4)"),
        (lambda: banks.rectified(np.zeros((1, 2)), "cut"), "unknown kind 'cut'"),
        (lambda: multiscale.wavelet_maps(np.zeros((1, 28, 28))), "size a multiple of 8"),
        (lambda: fit_classifier(CONSTANT, np.arange(10) % 2, 3), "the same in every row"),
        (lambda: fit_classifier(np.eye(10), np.arange(10) % 2, 9), "held is 9: expected an integer from 1 to 8"),
        (lambda: fit_classifier(np.eye(10), np.arange(9), 2), "labels has shape (9,): expected (10,)"),
        (lambda: fit_classifier(np.eye(10), np.arange(10) % 2, 2, [0.0]), "penalties: expected a row"),
        (lambda: holm([0.5, 2.0]), "p: expected a row of numbers between 0 and 1"),
        (lambda: invariance.moved(np.zeros((1, 8, 8)), "scale", 0.0), "amount is 0: expected a factor"),
        (lambda: invariance.moved(np.zeros((1, 8, 8)), "mirror", 1.0), "unknown kind 'mirror'"),
        (lambda: invariance.change(CONSTANT, CONSTANT), "features are the same for all images"),
        (lambda: invariance.between(np.zeros(3)), "features has shape (3,)"),
    ],
)
def test_bad_input_is_named(call, message):
    assert message in said(call)


def test_figures_take_what_the_page_has():
    import pandas as pd

    from keyfilters_book.figures.representations import map_rows, moving_panels

    table = pd.DataFrame({"amount": [0.0, 1.0], "normalised": [0.0, 0.5], "accuracy": [90.0, 80.0]})
    panels = {"d(T)": "normalised", "accuracy": "accuracy"}
    fig = moving_panels(panels, {"pixels": table, "keys": table / 2}, xlabel="shift")
    assert [ax.get_title() for ax in fig.axes] == list(panels) and len(fig.axes[1].lines) == 3
    refused(lambda: moving_panels(panels, dict.fromkeys("abcdefgh", table), xlabel="shift"), "8 labels: expected at most 7")
    rows = map_rows({"image": {"": np.eye(4)}, "maps": {"a": np.eye(2), "b": -np.eye(2)}})
    assert [len(ax.images) for ax in rows.axes] == [1, 0, 1, 1]
