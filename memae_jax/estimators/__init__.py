"""Estimators in the manner of scikit-learn, and runs from Python."""
