"""What networks learn: the experiments of the lecture's part that need torch."""
