"""Other servers of scikit-learn models, each with the same two artifacts."""
