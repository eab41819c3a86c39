"""The modes of replacement in words, without torch: for the help of the command line."""

IDEAS = {
    "unit": "the idealised filter of the matched key with the sign of the gain, no offset",
    "affine": "gain * idealised filter of the matched key + offset",
    "own": "the same with scales (and gamma) fitted to each channel",
    "learnable": "as affine, and the scales are parameters to be trained",
    "master": "gain * learned master key + offset",
    "random": "random filters with each channel's mean and norm (control)",
    "impulse": "gain * unit impulse + offset (control)",
    "gaussian": "normal filters with the layer's covariance, and each channel's mean (control)",
}
"""What a filter becomes, by the name of the mode."""
